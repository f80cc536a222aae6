using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Client;

public sealed class BackupIndexTests
{
    [Fact]
    public void A_backup_that_is_added_is_found_with_what_it_builds_on()
    {
        var index = new BackupIndex([Backups.Full(1)]);
        var added = Backups.Full(2) with { FromGuid = new SnapshotGuid(1), DatasetName = "tank/new" };

        index.Add(added);

        Assert.True(index.Has(new SnapshotGuid(2)));
        Assert.Equal(
            [2UL, 1UL],
            index.RelevantTo(DatasetName.Parse("tank/new"), []).Select(backup => backup.SnapshotGuid.Value)
        );
    }
}
