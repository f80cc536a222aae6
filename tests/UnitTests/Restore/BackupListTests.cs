using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class BackupListTests
{
    private static readonly SnapshotInfo Old = Backups.Full(1);
    private static readonly SnapshotInfo New = Backups.Incremental(2, 1);
    private static readonly SnapshotInfo Other = Backups.Full(3, "tank/other");

    [Theory]
    [InlineData("2", "c/tank_data_2_from_1")]
    [InlineData("c/tank_data_1", "c/tank_data_1")]
    [InlineData("tank/data@s2", "c/tank_data_2_from_1")]
    [InlineData("tank/other@s3", "c/tank_other_3")]
    public void A_backup_is_found_by_its_number_its_id_and_its_snapshot(string name, string id) =>
        Assert.Equal(id, new BackupList([Old, New, Other]).Find(name).SnapshotId);

    [Theory]
    [InlineData("0", ExitCode.NotFound)]
    [InlineData("4", ExitCode.NotFound)]
    [InlineData("99999999999999999999", ExitCode.NotFound)]
    [InlineData("", ExitCode.Usage)]
    [InlineData("-1", ExitCode.Usage)]
    [InlineData("first", ExitCode.Usage)]
    [InlineData("tank/data@s", ExitCode.NotFound)]
    [InlineData("tank/dat@s1", ExitCode.NotFound)]
    [InlineData("tank/data@s3", ExitCode.NotFound)]
    [InlineData("c/tank_data", ExitCode.NotFound)]
    public void Anything_else_is_refused(string name, ExitCode exitCode) =>
        Assert.Equal(
            exitCode,
            Assert.Throws<OperationException>(() => new BackupList([Old, New, Other]).Find(name)).ExitCode
        );

    [Fact]
    public void A_name_of_several_backups_is_an_error_that_lists_them()
    {
        var again = Backups.Full(2) with { SnapshotId = "c/tank_data_again" };

        var failure = Assert.Throws<OperationException>(() => new BackupList([Old, New, again]).Find("tank/data@s2"));

        Assert.Equal(ExitCode.Usage, failure.ExitCode);
        Assert.Contains(New.SnapshotId, failure.Remedy, StringComparison.Ordinal);
        Assert.Contains(again.SnapshotId, failure.Remedy, StringComparison.Ordinal);
        Assert.Same(again, new BackupList([Old, New, again]).Find("c/tank_data_again"));
    }

    [Fact]
    public void The_numbers_are_those_of_the_order()
    {
        var list = new BackupList([Old, New, Other]);

        Assert.Equal([1, 2, 3], list.Backups.Select(list.NumberOf));
        Assert.Same(list.Backups[2], list.Find("3"));
    }
}
