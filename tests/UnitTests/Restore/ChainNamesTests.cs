using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>Names of snapshots while they are received.</summary>
public sealed class ChainNamesTests
{
    [Fact]
    public void Equal_names_get_numbers()
    {
        var names = ChainNames.Choose(
            [
                Backups.Full(1) with
                {
                    SnapshotName = "daily",
                },
                Backups.Incremental(2, 1) with
                {
                    SnapshotName = "daily",
                },
                Backups.Incremental(3, 2) with
                {
                    SnapshotName = "hourly",
                },
                Backups.Incremental(4, 3) with
                {
                    SnapshotName = "daily",
                },
            ],
            DatasetName.Parse("tank/r.restoring")
        );

        Assert.Equal(["daily", "daily-2", "hourly", "daily-3"], names.Select(name => name.Leaf));
    }

    [Fact]
    public void A_name_that_is_too_long_is_refused_whichever_of_the_chain_it_is()
    {
        var dataset = DatasetName.Parse($"tank/{new string('n', 240)}");

        var refusal = Assert.Throws<OperationException>(() =>
            ChainNames.Choose(
                [
                    Backups.Full(1) with
                    {
                        SnapshotName = "s",
                    },
                    Backups.Incremental(2, 1) with
                    {
                        SnapshotName = "too-long-now",
                    },
                ],
                dataset
            )
        );

        Assert.Equal(ExitCode.Usage, refusal.ExitCode);
        Assert.Contains($"{dataset}@too-long-now", refusal.Message, StringComparison.Ordinal);
    }
}
