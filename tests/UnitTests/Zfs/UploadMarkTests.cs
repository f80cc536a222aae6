using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class UploadMarkTests
{
    private const string Server = "f8c0a2b4c6d84e0f9a1b3c5d7e9f0a1b";

    private static readonly MarkOwner Owner = new(Server, "web-1.example");

    [Fact]
    public void A_mark_is_read_as_it_was_written()
    {
        var run = RunId.Create(Machine.Of("m1", "nas"));
        foreach (var mark in (UploadMark[])[UploadMark.Pending(Owner, run), UploadMark.Committed(Owner)])
            Assert.Equal(mark, UploadMark.TryParse(mark.ToString()));
        Assert.Equal($"committed:{Server}/web-1.example", $"{UploadMark.Committed(Owner)}");
        Assert.Equal(run.Host, RunId.Create(Machine.Of("m1", "renamed")).Host);
        Assert.NotEqual(run.Host, RunId.Create(Machine.Of("m2", "nas")).Host);
    }

    [Theory]
    [InlineData("pending")]
    [InlineData("committed")]
    public void A_mark_of_an_earlier_version_has_no_owner(string text)
    {
        var mark = UploadMark.TryParse(text)!;

        Assert.Null(mark.Owner);
        Assert.Equal("zsm-upload", mark.HoldTag);
        Assert.Equal(text, $"{mark}");
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    [InlineData("-")]
    [InlineData("")]
    [InlineData("Pending")]
    [InlineData("pending:")]
    [InlineData("pending:abc")]
    [InlineData("pending:abc/web1")]
    [InlineData("pending:abc/web1/12")]
    [InlineData("pending:abc/web1/01234567-89ABCDEF")]
    [InlineData("pending:abc/we b1/01234567-89abcdef")]
    [InlineData("committed:abc")]
    [InlineData("committed:abc/web1/x")]
    [InlineData("committed:/web1")]
    [InlineData("done:abc/web1")]
    public void Anything_else_is_no_mark(string text) => Assert.Null(UploadMark.TryParse(text));

    [Fact]
    public void Each_owner_has_a_tag_of_its_own_in_holds_and_bookmarks()
    {
        MarkOwner[] owners = [Owner, Owner with { Client = "web2" }, Owner with { Server = Server[1..] }];

        Assert.Equal(3, owners.Select(owner => owner.Tag).Distinct(StringComparer.Ordinal).Count());
        Assert.All(owners, owner => Assert.Matches("^zsm-upload-[a-z]{8}$", owner.HoldTag));
        var snapshot = SnapshotName.Parse("tank/data@zsm-manual-2026-11-23_04:59:49Z");
        var bookmark = Owner.BookmarkOf(snapshot, new SnapshotGuid(7));
        Assert.Equal($"tank/data#zsm-manual-2026-11-23_04:59:49Z.{Owner.Tag}", $"{bookmark}");
        Assert.True(Owner.OwnsBookmark(bookmark));
        Assert.False(owners[1].OwnsBookmark(bookmark));
        var plain = SnapshotName.Parse("tank/data#zsm-manual-2026-11-23_04:59:49Z");
        Assert.False(Owner.OwnsBookmark(plain));
        Assert.Null(MarkOwner.FindTag(plain));
    }

    [Fact]
    public void Where_the_snapshot_s_name_fits_that_of_its_bookmark_fits_too()
    {
        const string Leaf = "z-daily-2026-11-23_04:59:49Z";
        for (var length = 200; length + 1 + Leaf.Length <= DatasetName.MaxLength; length++)
        {
            var snapshot = SnapshotName.Parse($"tank/{new string('a', length - 5)}@{Leaf}");

            var bookmark = Owner.BookmarkOf(snapshot, new SnapshotGuid(ulong.MaxValue));

            Assert.Equal(bookmark, SnapshotName.Parse($"{bookmark}"));
            Assert.True(Owner.OwnsBookmark(bookmark));
        }
    }

    [Fact]
    public void A_server_that_does_not_tell_its_id_is_known_by_its_address()
    {
        var url = new Uri("http://backup:8080/");

        var old = MarkOwner.Of(serverId: null, url, "web1");

        Assert.Equal(MarkOwner.OfOlderServer(url, "web1"), old);
        Assert.NotEqual(old, MarkOwner.Of(serverId: null, new Uri("http://other:8080/"), "web1"));
        Assert.Equal(old, MarkOwner.Of("an id/with a slash", url, "web1"));
        Assert.True(MarkOwner.TryParse($"{old}", out _));
    }

    private static readonly string[] Names = ["tank/data@a", "tank/data@b", "tank/data#a"];

    [Fact]
    public void Only_marks_in_the_rows_of_a_snapshot_itself_are_added()
    {
        LocalSnapshot[] snapshots =
        [
            .. Names.Select(name => new LocalSnapshot(
                SnapshotName.Parse(name),
                new SnapshotGuid(1),
                1,
                DateTimeOffset.UnixEpoch,
                null
            )),
        ];

        var marked = SnapshotMarks.AddMarks(
            snapshots,
            [
                ["tank/data@a", UploadMark.Property, $"{UploadMark.Committed(Owner)}"],
                ["tank/data@a", SnapshotMarks.TypeProperty, "daily"],
                ["tank/data@b", UploadMark.Property, "0"],
                ["tank/data@b", SnapshotMarks.TypeProperty, "yearly"],
                ["broken"],
            ]
        );

        Assert.Equal(
            [snapshots[0] with { Upload = UploadMark.Committed(Owner), Type = SnapshotType.Daily }, .. snapshots[1..]],
            marked
        );
    }
}
