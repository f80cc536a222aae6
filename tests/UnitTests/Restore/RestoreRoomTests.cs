using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.Commands;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>Whether the newest backups fit, by the sizes of all streams that a restore receives.</summary>
public sealed class RestoreRoomTests
{
    private static readonly BackupList Backed = new([
        Backups.Incremental(2, 1) with
        {
            StreamBytes = 40,
        },
        Backups.Full(3, "tank/small") with
        {
            StreamBytes = 10,
        },
        Backups.Full(1) with
        {
            StreamBytes = 70,
        },
        Backups.Incremental(9, 8, "tank/broken") with
        {
            StreamBytes = 1000,
        },
    ]);

    [Theory]
    [InlineData(110, 0)]
    [InlineData(109, 1)]
    [InlineData(9, 2)]
    public void The_whole_chain_counts_and_broken_ones_do_not(long available, int tooLarge)
    {
        var room = RestoreRoom.Estimate(available, Backed);

        Assert.Equal(tooLarge, room.TooLarge.Count);
        Assert.Equal(new DatasetRoom("tank/data", 110), room.Largest);
        var text = room.Describe(DatasetName.Parse("tank/restores"));
        Assert.Contains("available in tank/restores", text, StringComparison.Ordinal);
        Assert.Equal(tooLarge > 0, text.Contains("probably does not fit", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_backups_there_is_nothing_to_compare() =>
        Assert.Empty(RestoreRoom.Estimate(0, new BackupList([])).TooLarge);
}
