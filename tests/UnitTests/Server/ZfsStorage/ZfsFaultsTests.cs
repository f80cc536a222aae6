using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.ZfsStorage;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Server.ZfsStorage;

public sealed class ZfsFaultsTests
{
    /// <summary>What helps the dataset that is backed up would break the next incremental into this one.</summary>
    [Fact]
    public void A_stored_backup_that_cannot_be_read_is_not_to_be_changed()
    {
        var fault = ZfsFaults.OfReading(Failed("warning: cannot send 'tank/a@b': Input/output error"), Backups.Full(1));

        var (code, remedy) = (fault.Error.Code, fault.Error.Remedy);
        Assert.Equal("object_damaged", code);
        Assert.DoesNotContain("elete", remedy, StringComparison.Ordinal);
        Assert.Contains("backup-full", remedy, StringComparison.Ordinal);
        Assert.Contains("zpool scrub", remedy, StringComparison.Ordinal);
        Assert.Contains("unchanged", remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_other_mention_of_an_unreadable_block_says_which_dataset_may_be_changed() =>
        Assert.Contains(
            "In the dataset that is backed up",
            ZfsRemedies.Find("cannot open 'tank': Input/output error"),
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("stream_damaged", true)]
    [InlineData("snapshot_exists", true)]
    [InlineData("base_missing", true)]
    [InlineData("quota_exceeded", true)]
    [InlineData("receive_failed", false)]
    [InlineData("receive_interrupted", false)]
    [InlineData("storage_full", false)]
    [InlineData("storage_unavailable", false)]
    [InlineData("an_error_of_a_later_version", false)]
    public void What_ZFS_received_is_dropped_only_if_it_is_proven_useless(string code, bool useless) =>
        Assert.Equal(useless, ZfsFaults.ProvesUseless(new RequestException(500, code, "")));

    private static ZfsException Failed(string words) => new(["send", "tank/a@b"], 1, words);
}
