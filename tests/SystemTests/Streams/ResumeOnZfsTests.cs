using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Streams;

/// <summary>Continuing sends and receives that were interrupted, with real ZFS on the other side.</summary>
[Collection("zfs")]
public sealed class ResumeOnZfsTests(ZfsHost host)
{
    private const string Folder = "/tmp/zsm-resume";

    /// <summary>Interruptions of the receive of one stream in <c>./test</c>; a soak has one of every kind.</summary>
    private const int FewReceives = 2;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// Sends: a full stream, an incremental and one from a bookmark are cut at boundaries of all kinds. The token is
    /// made from the first part, ZFS resumes from it, and both parts are joined. If ZFS sends the same bytes again, the
    /// result is the original stream, byte for byte. Receives: the receive of a full stream and of an incremental is
    /// interrupted, and resumes from the stored stream by ZFS's token.
    /// </summary>
    [Theory]
    [MemberData(nameof(GuestScripts.Kinds), 2, MemberType = typeof(GuestScripts))]
    public async Task Sends_and_receives_resume_from_every_kind_of_boundary(string kind)
    {
        var guest = await GuestScripts.CopyAsync(host);
        _ = await guest.RunAsync("origin.sh", [kind, RandomTest.Seed, Folder]);
        var streams = await guest.ReadAsync(Folder);
        var random = RandomTest.Random();
        foreach (var (name, cuts) in ChooseCuts(streams, ["s1.zfs", "s2.zfs", "bookmark.zfs"], random))
            await ResumeSendsAsync(guest, name, streams[name], cuts);
        foreach (var (name, baseFile) in ((string, string)[])[("s1.zfs", "-"), ("s2.zfs", $"{Folder}/s1.zfs")])
        {
            // Behind BEGIN alone nothing is kept.
            var cuts = BoundariesOf(streams[name])
                .Where(kind => RandomTest.IsSoak || kind.Key.Before != RecordType.Begin)
                .Select(kind => Cut(streams[name], kind.Value, random))
                .ToArray();
            random.Shuffle(cuts);
            var most = RandomTest.IsSoak ? cuts.Length : Math.Min(FewReceives, cuts.Length);
            await ResumeReceivesAsync(guest, name, baseFile, cuts[..most]);
        }
    }

    /// <summary>Tokens for the first parts, what ZFS sends for them, and both together.</summary>
    private static async Task ResumeSendsAsync(GuestScripts guest, string name, byte[] stream, List<int> cuts)
    {
        List<StreamSplice> splices = [];
        foreach (var cut in cuts)
            splices.Add(
                new StreamSplice(
                    (await SendStreamRecovery.FindValidPrefixAsync(new MemoryStream(stream[..cut]), Token)).State
                )
            );
        _ = await guest.RunAsync(
            "continue.sh",
            [$"{Folder}/rests"],
            string.Concat(splices.Select(splice => $"{splice.Token}\n"))
        );
        var rests = await guest.ReadAsync($"{Folder}/rests");
        for (var i = 0; i < cuts.Count; i++)
        {
            using var joined = new MemoryStream();
            await splices[i].WriteAsync(new MemoryStream(stream), new MemoryStream(rests[$"{i + 1}"]), joined, Token);
            Assert.True(
                joined.ToArray().AsSpan().SequenceEqual(stream),
                $"{name}, cut after {cuts[i]} bytes, is not what it was"
            );
        }
    }

    private static async Task ResumeReceivesAsync(GuestScripts guest, string name, string baseFile, int[] cuts)
    {
        var said = await guest.RunAsync(
            "receive.sh",
            [$"{Folder}/{name}", baseFile, .. cuts.Order().Select(cut => (object)cut)]
        );
        Assert.Equal(cuts.Length, said.Length);
        Assert.Contains(said, line => line.StartsWith("same", StringComparison.Ordinal));
    }

    /// <summary>
    /// Where each stream is cut: at one boundary of each kind, in a stream that has it; in a soak at two in every
    /// stream.
    /// </summary>
    private static IEnumerable<(string Name, List<int> Cuts)> ChooseCuts(
        IReadOnlyDictionary<string, byte[]> streams,
        string[] names,
        Random random
    )
    {
        var boundaries = names.SelectMany(name =>
            BoundariesOf(streams[name]).Select(kind => (Kind: kind.Key, Name: name, Places: kind.Value))
        );
        var chosen = RandomTest.IsSoak
            ? boundaries.SelectMany(found =>
                (IEnumerable<(string Name, List<int> Places)>)[(found.Name, found.Places), (found.Name, found.Places)]
            )
            : boundaries
                .GroupBy(found => found.Kind)
                .Select(kind => random.GetItems(kind.ToArray(), 1)[0])
                .Select(found => (found.Name, found.Places));
        return chosen
            .GroupBy(found => found.Name, found => Cut(streams[found.Name], found.Places, random))
            .Select(cuts => (cuts.Key, cuts.Distinct().Order().ToList()));
    }

    /// <summary>
    /// Record boundaries by the types of the records before and behind: right behind BEGIN, right before END, and all
    /// between.
    /// </summary>
    private static Dictionary<(RecordType Before, RecordType Behind), List<int>> BoundariesOf(byte[] stream)
    {
        Dictionary<(RecordType Before, RecordType Behind), List<int>> kinds = [];
        var (parser, last) = (new SendStreamParser(), RecordType.Begin);
        ReadOnlySpan<byte> input = stream;
        while (!parser.IsComplete)
        {
            if (parser.Read(ref input, out _) != ParserEvent.Record)
                continue;
            var type = parser.Current.Type;
            if (parser.RecordIndex > 0)
            {
                if (!kinds.TryGetValue((last, type), out var places))
                    kinds[(last, type)] = places = [];
                places.Add((int)parser.RecordOffset);
            }

            last = type;
        }

        return kinds;
    }

    /// <summary>
    /// One of some boundaries, with a few bytes of the next record, as a broken connection leaves them.
    /// </summary>
    private static int Cut(byte[] stream, List<int> places, Random random) =>
        Math.Min(places[random.Next(places.Count)] + random.Next(3) * 150, stream.Length - 1);
}
