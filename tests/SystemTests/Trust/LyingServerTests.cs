using System.Text.Json.Nodes;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.SystemTests.Trust;

/// <summary>
/// A server lies in every field of every answer, one at a time: with each value that JSON can have there, and with
/// those that would do harm. Whatever it says, only commands are run that the dataset's own plan allows, and the
/// program ends with success or a clear error. On the stand-in for <c>zfs</c>.
/// </summary>
public sealed class LyingServerTests
{
    private static readonly string[] WrongNames = ["../other", "tank", "tank/data@x", "tank/data;id", "-r"];

    /// <summary>Lies about a backup with a base on the server, and what it does to it.</summary>
    [Fact]
    public async Task No_lie_about_backups_makes_a_client_send_or_destroy_what_it_must_not()
    {
        await using var lab = await TrustLab.CreateAsync();
        await lab.CheckRecoveryAsync(Nothing);
        await lab.ChangeAsync();
        await lab.CheckRecoveryAsync(Nothing);

        ServerLie[] always =
        [
            Field("GET snapshots", "snapshots[].send_flags", "-L", _ => Words("-L")),
            Field("GET snapshots", "snapshots[].send_flags", "none", _ => new JsonArray()),
            Field("GET snapshots", "snapshots[].send_flags", "-w -R", _ => Words("-w", "-R")),
            Field("GET snapshots", "snapshots[].send_flags", "a name", _ => Words("-w", $"{lab.Copy}@precious")),
            Field("GET snapshots", "snapshots[].raw", "false", _ => JsonValue.Create(false)),
            Field("GET snapshots", "snapshots[].features", "none", _ => new JsonArray()),
            Field("POST upload", "part_size", "the most", _ => JsonValue.Create(int.MaxValue)),
            Field("POST upload-stream/*", "snapshot.dataset_name", "a path", _ => JsonValue.Create("../../etc/passwd")),
        ];
        await TellAsync(lab.Liar, always, few: 7, many: 1200, BackUpAsync);

        async Task<bool> BackUpAsync(ServerLie lie)
        {
            await lab.ChangeAsync();
            var isTold = await lab.CheckBackupAsync(lie);
            await lab.CheckRecoveryAsync(lie);
            return isTold;
        }
    }

    /// <summary>Lies about an upload that was interrupted.</summary>
    [Fact]
    public async Task No_lie_about_an_open_upload_makes_a_client_send_or_destroy_what_it_must_not()
    {
        await using var lab = await TrustLab.CreateAsync();
        await lab.InterruptAsync();
        await lab.CheckRecoveryAsync(Nothing);
        var copy = (await lab.ListAsync()).First(entry => entry.Name == $"{lab.Copy}@precious");

        ServerLie[] always =
        [
            .. Everywhere("state", "decrypted", State(begin => begin with { Features = StreamFeatures.SaSpill })),
            .. Everywhere("state", "decrypted, from the start", text =>
                Format(ReadState(text) with { ResumePoint = default }, begin =>
                    begin with
                    {
                        Features = StreamFeatures.SaSpill,
                    }
                )
            ),
            .. Everywhere(
                "state",
                "the copy",
                State(begin => begin with { FullSnapshotName = copy.Name, SnapshotGuid = copy.Guid })
            ),
            .. Everywhere("state", "based on another", State(begin => begin with { BaseGuid = copy.Guid })),
            .. Everywhere("state", "whole", text => Format(ReadState(text) with { Phase = StreamPhase.End })),
            .. Everywhere("state", "far", text => Format(ReadState(text) with { StreamOffset = long.MaxValue })),
            .. WithToken("of the copy", token => token with { SnapshotGuid = copy.Guid, FullSnapshotName = copy.Name }),
            .. WithToken("decrypted", token => token with { Raw = false, Compressed = false }),
            .. WithToken("decrypted, by its name", token => token with { Raw = false, FullSnapshotName = copy.Name }),
            .. WithToken("based on another", token => token with { BaseGuid = copy.Guid }),
            .. WithToken("raw", token => token),
            Field("GET uploads", "uploads[].send_flags", "-L", _ => Words("-L")),
        ];
        await TellAsync(lab.Liar, always, few: 3, many: 300, BackUpAsync);

        async Task<bool> BackUpAsync(ServerLie lie)
        {
            await lab.InterruptAsync();
            var isTold = await lab.CheckBackupAsync(lie);
            await lab.CheckRecoveryAsync(lie);
            return isTold;
        }
    }

    /// <summary>Lies about the policy and the backups while local snapshots are rotated.</summary>
    [Fact]
    public async Task No_lie_makes_a_client_destroy_more_than_old_snapshots_of_its_own()
    {
        await using var lab = await TrustLab.CreateAsync();
        await lab.CheckRecoveryAsync(Nothing);
        string[] lines =
        [
            "snapshot hourly --send",
            "snapshot hourly",
            "snapshot daily --send",
            "snapshot daily",
            "backup",
            "backup",
            "rotate",
        ];
        foreach (var line in lines.Concat(lines))
            (await lab.RunAsync($"KEEP_MANUAL=1000 zfs-client {line}")).MustSucceed();
        string[] honest = ["GET rotation-policy", "GET snapshots"];

        ServerLie[] always =
        [
            Field("GET rotation-policy", "server_managed", "true", _ => JsonValue.Create(true)),
            .. new[] { 0, -1 }.Select(keep =>
                Field("GET rotation-policy", "rotation_policy", $"{keep} of each, by the server", policy =>
                {
                    policy!.Parent!["server_managed"] = true;
                    return new JsonObject(
                        policy.AsObject().Select(field => KeyValuePair.Create(field.Key, (JsonNode?)keep))
                    );
                })
            ),
        ];
        await TellAsync(lab.Liar, always, few: 12, many: 1000, lab.CheckRotationAsync, honest);
    }

    /// <summary>Lies about backups while one is restored.</summary>
    [Fact]
    public async Task No_lie_makes_a_restore_touch_anything_but_its_target()
    {
        await using var lab = await TrustLab.CreateAsync();
        await lab.CheckRecoveryAsync(Nothing);
        await lab.CheckRestoreAsync(Nothing);
        string[] honest = ["GET snapshots", "GET snapshots/*/manifest"];

        ServerLie[] always =
        [
            .. WrongNames.SelectMany(name =>
                new[]
                {
                    Field("GET snapshots", "snapshots[].dataset_name", name, _ => JsonValue.Create(name)),
                    Field("GET snapshots", "snapshots[].snapshot_name", name, _ => JsonValue.Create(name)),
                }
            ),
        ];
        await TellAsync(lab.Liar, always, few: 10, many: 1000, lab.CheckRestoreAsync, honest);
    }

    private static ServerLie Nothing { get; } = new("", null, null, "the truth");

    /// <summary>
    /// Tells each of those that must be told, and random ones: until a few have been told, or in a soak all of them.
    /// An earlier lie may end the run before the request of a random one; if most are never told, they are about
    /// fields or requests that no longer exist, and would pass without testing anything.
    /// </summary>
    /// <param name="tell">Runs the program, and returns whether the lie reached it.</param>
    /// <param name="kinds">The requests whose answers are lies; none: all.</param>
    private static async Task TellAsync(
        LyingServer liar,
        ServerLie[] always,
        int few,
        int many,
        Func<ServerLie, Task<bool>> tell,
        params string[] kinds
    )
    {
        foreach (var lie in always)
            Assert.True(await tell(lie), $"Not told: {lie}");

        var all = ServerLie.About(liar.Honest).Where(lie => kinds is [] || kinds.Contains(lie.Kind)).ToArray();
        Assert.All(kinds, kind => Assert.Contains(all, lie => lie.Kind == kind));
        RandomTest.Random().Shuffle(all);
        var told = 0;
        List<ServerLie> untold = [];
        foreach (var lie in RandomTest.IsSoak ? RandomTest.Split(all.Take(many)) : all.Take(5 * few))
        {
            if (await tell(lie))
                told++;
            else
                untold.Add(lie);
            if (told == few && !RandomTest.IsSoak)
                break;
        }

        var names = string.Join('\n', untold);
        TestContext.Current.TestOutputHelper!.WriteLine($"{told} random lies were told; not told:\n{names}");
        Assert.True(RandomTest.IsSoak ? told >= untold.Count : told == few, $"Too few were told. Not told:\n{names}");
    }

    private static ServerLie Field(string kind, string path, string what, Func<JsonNode?, JsonNode?> change) =>
        new(kind, new Lie(path, what, change));

    /// <summary>
    /// A field of what is stored of an upload, in the list of uploads and in the answer to its request.
    /// </summary>
    private static ServerLie[] Everywhere(string field, string what, Func<string, string> change) =>
        [
            .. new[] { ("GET uploads", "uploads[].resume"), ("POST upload", "resume") }.Select(place => new ServerLie(
                place.Item1,
                new Lie($"{place.Item2}.{field}", what, value => JsonValue.Create(change($"{value}"))) { Adds = true }
            )),
        ];

    /// <summary>Changes what the state says of BEGIN.</summary>
    private static Func<string, string> State(Func<SnapshotStreamInfo, SnapshotStreamInfo> change) =>
        text => Format(ReadState(text), change);

    private static ParserState ReadState(string text) => ParserState.Parse(text);

    private static string Format(ParserState state, Func<SnapshotStreamInfo, SnapshotStreamInfo>? change = null)
    {
        var begin = change is null ? state.Snapshot! : change(state.Snapshot!);
        return (state with { Begin = begin, Snapshot = begin }).Format();
    }

    /// <summary>A token in place of a state, as a server with ZFS storage gives it.</summary>
    private static IEnumerable<ServerLie> WithToken(string what, Func<ResumeToken, ResumeToken> change) =>
        new[] { ("GET uploads", "uploads[].resume"), ("POST upload", "resume") }.Select(place => new ServerLie(
            place.Item1,
            new Lie(place.Item2, $"a token, {what}", resume => WithToken(resume!.DeepClone(), change))
        ));

    private static JsonNode WithToken(JsonNode resume, Func<ResumeToken, ResumeToken> change)
    {
        var begin = ReadState($"{resume["state"]}").Snapshot!;
        var token = new ResumeToken
        {
            BaseGuid = begin.IsIncremental ? begin.BaseGuid : null,
            Object = 2,
            Offset = 0,
            Bytes = 1000,
            SnapshotGuid = begin.SnapshotGuid,
            FullSnapshotName = begin.FullSnapshotName,
            Compressed = true,
            Raw = true,
        };
        resume["receive_resume_token"] = change(token).ToString();
        return resume;
    }

    private static JsonArray Words(params string[] words) => [.. words.Select(word => (JsonNode)word)];
}
