using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class ZfsDelegationTests
{
    private const string Output =
        "---- Permissions on tank/data ----------------------------------------\n"
        + "Permission sets:\n\t@backup hold,release\n"
        + "Create time permissions:\n\trename\n"
        + "Local permissions:\n\tuser ann snapshot\n\tuser ben clone\n"
        + "Descendent permissions:\n\tuser ann create\n"
        + "---- Permissions on tank ---------------------------------------------\n"
        + "Local permissions:\n\tuser ann rollback\n"
        + "Descendent permissions:\n\tgroup staff bookmark\n"
        + "Local+Descendent permissions:\n\teveryone diff\n\tuser ann @backup,send\n";

    private static readonly ZfsUser Ann = new(1000, "ann", ["ann", "staff"]);

    [Fact]
    public void Delegations_of_a_dataset_are_distinguished_from_those_below_or_above() =>
        Assert.Equal(
            ["@backup", "bookmark", "diff", "hold", "release", "send", "snapshot"],
            ZfsDelegation.Parse(Output, DatasetName.Parse("tank/data"), Ann).Order(StringComparer.Ordinal)
        );

    [Fact]
    public void Permissions_of_other_users_are_ignored() =>
        Assert.Equal(
            ["clone", "diff"],
            ZfsDelegation
                .Parse(Output, DatasetName.Parse("tank/data"), new ZfsUser(1001, "ben", ["ben"]))
                .Order(StringComparer.Ordinal)
        );

    [Fact]
    public void The_server_s_permissions_are_those_of_the_document()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "ZfsSnapshotManager.slnx")))
            folder = Path.GetDirectoryName(folder)!;
        Assert.Contains(
            ZfsDelegation.AllowLine("zfs-server", ZfsDelegation.ForStorage, DatasetName.Parse("tank/backup")) + "\n",
            File.ReadAllText(Path.Combine(folder, "docs/zfs-storage.md")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_line_for_root_can_be_pasted() =>
        Assert.Equal(
            "zfs allow -u ann hold,release 'tank/my data'",
            ZfsDelegation.AllowLine("ann", ["hold", "release"], DatasetName.Parse("tank/my data"))
        );
}
