using System.Net;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>An incremental is stored only if the store still has its base, whatever the catalogue lists.</summary>
public sealed class LostBaseTests
{
    [Theory]
    [InlineData("")]
    [InlineData(".manifest.json")]
    public async Task An_incremental_whose_base_the_store_lost_is_refused_and_accepted_once_it_is_back(string end)
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var lost = client.ObjectOf(await client.StoreAsync(Recorded.Plain("full"))) + end;
        var aside = Path.Combine(server.Folder, "lost");
        File.Move(lost, aside);
        var before = server.StoredFiles();
        var fields = Recorded.Announce(Recorded.Get("incremental-1"), "none");

        // At once, before its data are sent.
        (await client.AskAsync(fields)).AssertRefused(HttpStatusCode.Conflict, "base_missing", Path.GetFileName(lost));
        // Nothing said what it is before its BEGIN.
        var upload = await client.AnnounceAsync(new() { ["dataset_name"] = "tank/data", ["compression"] = "none" });
        (await client.SendAsync(upload, Recorded.Plain("incremental-1"))).AssertRefused(
            HttpStatusCode.Conflict,
            "base_missing",
            Path.GetFileName(lost)
        );
        Assert.Equal(before, server.StoredFiles());

        File.Move(aside, lost);
        (await client.SendAsync(upload, Recorded.Plain("incremental-1"))).MustSucceed();
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }
}
