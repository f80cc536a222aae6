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
}
