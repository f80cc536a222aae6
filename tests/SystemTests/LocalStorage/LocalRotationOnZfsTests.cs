using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>Rotation of what the server keeps in ZFS, which refuses to destroy some snapshots.</summary>
[Collection("zfs-2")]
public sealed class LocalRotationOnZfsTests(SecondZfsHost host)
{
    [Fact]
    public async Task Single_snapshots_are_deleted_but_not_held_or_cloned_ones_nor_the_newest()
    {
        await using var lab = await LocalLab.CreateAsync(
            host,
            "--keep-hourly 0 --keep-daily 0 --keep-weekly 0 --keep-monthly 0",
            "DELETE_DELAY_HOURS=0"
        );
        await lab.FillAsync("data", 1);
        for (var run = 0; run < 4; run++)
            await lab.BackUpAsync();
        var snapshots = (await lab.ReceivedNamesAsync())[1..];
        await host.OutputAsync(
            $"zfs hold keep {snapshots[0]} && zfs clone -o mountpoint=none {snapshots[1]} {lab.Base}/clone"
        );

        var dry = (await lab.CurlAsync("-d '{\"dry_run\":true}' URL/rotate")).MustSucceed().Text;
        var rotated = (await lab.CurlAsync("-X POST URL/rotate")).MustSucceed().Json;

        Assert.Contains("somebody holds it", dry, StringComparison.Ordinal);
        Assert.Contains("it has a clone", dry, StringComparison.Ordinal);
        Assert.Equal(1, rotated.GetProperty("deleted_count").GetInt32());
        string[] expected = [lab.Received, snapshots[0], snapshots[1], snapshots[3]];
        await Patience.UntilAsync("the snapshot is destroyed", async () =>
        {
            var names = await lab.ReceivedNamesAsync();
            return names.SequenceEqual(expected);
        });
        Assert.Equal(3, (await lab.Client.ListBackupsAsync()).Length);
        Assert.Equal("incremental", (await lab.BackUpAsync()).GetProperty("kind").GetString());
    }
}
