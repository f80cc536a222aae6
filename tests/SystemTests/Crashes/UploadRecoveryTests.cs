using System.Net;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>An upload is recovered by its state, when it is touched or in the background.</summary>
public sealed class UploadRecoveryTests
{
    private static readonly CutParts Cut = CutParts.Cut(
        Recorded.Get("incremental-1").Bytes,
        int.MaxValue,
        new Random(1)
    );

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_port_is_open_while_an_upload_is_still_being_recovered()
    {
        await using var lab = await CrashLab.WithBaseAsync();
        await lab.CrashAsync(await FindRenameAsync(lab, lab.SendAsync), lab.SendAsync);
        var key = Directory
            .GetFiles(Path.Combine(lab.Server.DataFolder, "objects", "client1"))
            .Single(path => !File.Exists($"{path}.manifest.json") && path.EndsWith(".gz", StringComparison.Ordinal));
        // Reading it lasts until somebody writes it: a store that does not answer.
        (await Command.RunAsync("mkfifo", [$"{key}.manifest.json"])).MustSucceed();

        await lab.Server.StartAgainAsync(recovers: false);

        await Patience.UntilAsync("the recovery waits", async () =>
            (await lab.Server.RecoveryAsync())?.EndsWith(": 1", StringComparison.Ordinal) == true
        );
        Assert.Equal(HttpStatusCode.OK, (await lab.Server.Http.GetAsync("ready", Token)).StatusCode);
        (await lab.Client.StoreAsync(Recorded.Get("full").Bytes, "tank/other")).MustSucceed();
        Assert.NotNull(await lab.Server.RecoveryAsync());
    }

    [Fact]
    public async Task A_body_is_rolled_back_by_what_was_sent_and_not_by_a_part_that_was_refused_before()
    {
        await using var lab = await CrashLab.WithBaseAsync();

        var (acknowledged, _) = await lab.CrashAsync(
            await FindRenameAsync(lab, SendRefusedPartAndBodyAsync),
            SendRefusedPartAndBodyAsync
        );

        Assert.False(acknowledged);
        await lab.RecoverAsync(acknowledged);

        async Task<bool> SendRefusedPartAndBodyAsync()
        {
            var refused = Cut.Parts[0] with { End = Cut.Parts[0].Start };
            (await lab.Client.SendPartAsync(lab.UploadId, refused)).AssertRefused(
                HttpStatusCode.UnprocessableEntity,
                "stream_mismatch"
            );
            return await lab.SendAsync();
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a stream")]
    public async Task A_body_that_is_not_admitted_leaves_the_stored_parts(string body)
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var announced = Recorded.Announce(Recorded.Get("full"), "gzip");
        var cut = CutParts.Cut(Recorded.Get("full").Bytes, int.MaxValue, new Random(1));
        var upload = await client.AnnounceAsync(announced.DeepClone().AsObject());
        (await client.SendPartAsync(upload, cut.Parts[0])).MustSucceed();

        Assert.NotEqual(
            HttpStatusCode.OK,
            (await client.SendAsync(upload, System.Text.Encoding.UTF8.GetBytes(body))).Status
        );

        var again = (await client.AskAsync(announced)).MustSucceed().Json;
        Assert.Equal(2, again.GetProperty("resume").GetProperty("next_part").GetInt32());
        (await client.CompleteAsync(upload, cut)).MustSucceed();
    }

    /// <summary>What a body replaces must not keep it out, nor cost older backups.</summary>
    [Fact]
    public async Task Parts_that_a_body_replaces_do_not_count_against_its_quota()
    {
        var full = Recorded.Get("full");
        var cut = CutParts.Cut(full.Bytes, int.MaxValue, new Random(1));
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server, "tight", "--max-size", $"{cut.Stored.Length * 3L / 2}");
        var upload = await client.AnnounceAsync(Recorded.Announce(full, "gzip"));
        (await client.SendPartAsync(upload, cut.Parts[0])).MustSucceed();

        (await client.SendAsync(upload, cut.Stored)).MustSucceed();
    }

    /// <summary>What frees space needs some itself: the catalogue keeps a reserve for it.</summary>
    [Fact]
    public async Task On_a_full_disk_an_upload_is_still_dropped()
    {
        await using var lab = await CrashLab.WithBaseAsync();

        var (dropped, _) = await lab.CrashAsync(new CrashPoint(1, CrashMoment.Tight), lab.AbortAsync);

        Assert.True(dropped);
    }

    [Fact]
    public async Task An_upload_that_the_server_does_not_know_is_refused_with_the_way_out()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);

        var refused = await client.GetAsync("upload-stream/forgotten");

        refused.AssertRefused(HttpStatusCode.NotFound, "not_found");
        Assert.Contains("POST /upload", refused.Json.GetProperty("remedy").GetString(), StringComparison.Ordinal);
    }

    /// <summary>Right after the object got its name, and before its manifest.</summary>
    private static async Task<CrashPoint> FindRenameAsync(CrashLab lab, Func<Task<bool>> act)
    {
        var (acknowledged, calls) = await lab.CrashAsync(CrashPoint.None, act);
        Assert.True(acknowledged);
        var rename = calls.First(call =>
            call.Name == "rename" && call.Other.EndsWith(".zfs.gz", StringComparison.Ordinal)
        );
        return new CrashPoint(rename.Number, CrashMoment.After);
    }
}
