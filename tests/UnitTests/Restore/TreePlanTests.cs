using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class TreePlanTests
{
    [Fact]
    public void Children_are_the_datasets_below_with_the_same_snapshot()
    {
        var root = Backups.Full(1);
        SnapshotInfo[] all =
        [
            root,
            Below("tank/data/b", 3),
            Below("tank/data/a", 2),
            Below("tank/data2", 4),
            Backups.Full(5, "tank/data/c"),
            Backups.Full(6, "tank/data/a"),
        ];

        var plan = TreePlan.Make(root, all);

        Assert.Equal(["tank/data/a", "tank/data/b"], plan.Children.Select(child => child.DatasetName));
        Assert.Equal(["tank/data/c"], plan.Missing);

        static SnapshotInfo Below(string dataset, ulong guid) =>
            Backups.Full(guid, dataset) with
            {
                SnapshotName = "s1",
            };
    }

    [Fact]
    public void An_excluded_dataset_is_left_out_with_its_descendants()
    {
        var plan = new TreePlan(
            [Backups.Full(1, "tank/data/a"), Backups.Full(2, "tank/data/a/b"), Backups.Full(3, "tank/data/ab")],
            ["tank/data/a/c", "tank/data/d"]
        ).Without(["tank/data/a"]);

        Assert.Equal(["tank/data/ab"], plan.Children.Select(child => child.DatasetName));
        Assert.Equal(["tank/data/d"], plan.Missing);
    }
}
