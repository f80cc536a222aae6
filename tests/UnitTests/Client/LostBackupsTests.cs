using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Client;

/// <summary>A server that was brought back from an older copy lists less than it acknowledged.</summary>
public sealed class LostBackupsTests
{
    private static readonly MarkOwner Owner = new("5e1fc0de", "web1");
    private static readonly MarkOwner OtherServer = new("0ff517e", "web1");

    private static readonly ClientIdentity Identity = new(
        Owner,
        Owner with
        {
            Server = "url-0",
        },
        Machine.Of("m1", "nas"),
        new RunId("0123abcd", "00000001")
    );

    [Fact]
    public void Acknowledged_backups_that_are_newer_than_all_listed_ones_are_lost()
    {
        var lost = LostBackups.Find(
            [Bookmark(1), Snapshot(2), Bookmark(2), Bookmark(3), Snapshot(4), Bookmark(4)],
            [Backups.Full(1), Backups.Incremental(2, 1)],
            Identity
        );

        Assert.Equal([4, 3], lost.Select(snapshot => (int)snapshot.Guid.Value));
        Assert.False(lost[0].Name.IsBookmark);
        var text = LostBackups.Describe(DatasetName.Parse("tank/data"), lost);
        Assert.Contains("2 backups that it had acknowledged", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_server_that_lists_nothing_lost_all() =>
        Assert.Single(LostBackups.Find([Snapshot(1), Bookmark(1)], [], Identity));

    [Fact]
    public void What_rotation_deletes_is_older_than_the_newest_and_not_lost() =>
        Assert.Empty(LostBackups.Find([Snapshot(1), Bookmark(2), Snapshot(3)], [Backups.Full(3)], Identity));

    [Fact]
    public void What_was_never_acknowledged_by_this_server_is_not_lost() =>
        Assert.Empty(
            LostBackups.Find(
                [
                    Snapshot(1),
                    Snapshot(2) with
                    {
                        Upload = UploadMark.Pending(Owner, new RunId("0123abcd", "00000002")),
                    },
                    Snapshot(3) with
                    {
                        Upload = null,
                    },
                    Snapshot(4) with
                    {
                        Upload = UploadMark.Committed(OtherServer),
                    },
                    Bookmark(5, OtherServer),
                ],
                [Backups.Full(1)],
                Identity
            )
        );

    private static LocalSnapshot Snapshot(ulong number) =>
        new(
            SnapshotName.Parse($"tank/data@s{number}"),
            new(number),
            number,
            DateTimeOffset.UnixEpoch,
            UploadMark.Committed(Owner)
        );

    private static LocalSnapshot Bookmark(ulong number, MarkOwner? owner = null) =>
        Snapshot(number) with
        {
            Name = (owner ?? Owner).BookmarkOf(Snapshot(number).Name, new(number)),
            Upload = null,
        };
}
