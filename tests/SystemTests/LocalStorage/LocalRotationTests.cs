using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>Rotation of what the server keeps in ZFS; see also <see cref="LocalRotationOnZfsTests"/>.</summary>
public sealed class LocalRotationTests
{
    [Fact]
    public async Task A_dataset_is_deleted_with_its_last_snapshot_if_another_chain_is_newer()
    {
        await using var lab = await LocalLab.CreateAsync(
            new StandInHost(),
            "--keep-hourly 0 --keep-daily 0 --keep-weekly 0 --keep-monthly 0",
            "DELETE_DELAY_HOURS=0"
        );
        await lab.FillAsync("data", 1);
        await lab.BackUpAsync();
        await lab.Client.JsonAsync("zfs-client backup-full");
        Assert.Equal(4, (await lab.ReceivedNamesAsync()).Length);

        (await lab.CurlAsync("-X POST URL/rotate")).MustSucceed();

        await Patience.UntilAsync("the older dataset is destroyed", async () =>
            await lab.ReceivedNamesAsync() is [var dataset, _] && dataset == $"{lab.Received}-2"
        );
    }

    /// <summary>A snapshot that is in use, a pool that does not answer: nothing goes in its place.</summary>
    [Fact]
    public async Task A_quota_removes_no_more_while_ZFS_does_not_destroy_what_was_removed()
    {
        await using var lab = await LocalLab.CreateAsync(
            new StandInHost(),
            "--max-size 100MiB",
            "DELETE_DELAY_HOURS=0"
        );
        await lab.FillAsync("data", 1);
        for (var full = 0; full < 4; full++)
            await lab.Client.JsonAsync("zfs-client backup-full");
        await lab.RefuseAsync("destroy");
        (await lab.ServerAsync($"client set {lab.Client.Id} --max-size 1MiB")).MustSucceed();

        for (var attempt = 0; attempt < 2; attempt++)
        {
            (await lab.CurlAsync("-X POST URL/rotate")).MustSucceed();
            Assert.Equal(3, (await lab.Client.ListBackupsAsync()).Length);
        }
    }
}
