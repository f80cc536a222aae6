using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

public sealed class BackupLayoutsTests
{
    private static readonly DateTimeOffset Time = new(2024, 2, 13, 14, 30, 0, TimeSpan.Zero);

    [Fact]
    public void Every_part_is_where_the_manifest_says()
    {
        byte[] content = [.. Enumerable.Range(0, 60).Select(number => (byte)number)];
        StoredObject[] objects =
        [
            ObjectOf("a", content.AsSpan(0, 25), 10),
            ObjectOf("a.0002", content.AsSpan(25, 30), 10),
            ObjectOf("a.0003", content.AsSpan(55), 10),
        ];

        var layout = BackupLayout.Of(objects);

        Assert.Equal((60, 7), (layout.Length, layout.PartCount));
        Assert.Equal([("a", 25L), ("a.0002", 30L), ("a.0003", 5L)], layout.Objects);
        for (var position = 0; position < content.Length; position++)
        {
            var index = layout.IndexOf(position);
            var place = layout.PartAt(index);
            Assert.True(place.Holds(position), $"{position} is not in {place}");
            var part = content.AsSpan((int)place.Start, place.Size).ToArray();
            Assert.Null(layout.FindDifference(index, part));
            part[^1] ^= 1;
            Assert.NotNull(layout.FindDifference(index, part));
        }

        Assert.Equal(new PartLocation("a.0002", 20, 45, 10), layout.PartAt(5));
    }

    [Theory]
    [InlineData("")]
    [InlineData("ab")]
    [InlineData("zz45b8d8f7e2f3b1f1b6a1c0d9e8f7061524334251607f8e9dacbbcadbe8f706")]
    public void An_invalid_digest_is_damage(string digest)
    {
        var e = Assert.Throws<StorageException>(() =>
            BackupLayout.Of([StoredObject.Of("a", [new StoredPart { Size = 10, Sha256 = digest }])])
        );
        Assert.Equal(StorageFault.Damaged, e.Fault);
    }

    [Fact]
    public void A_layout_is_found_only_for_exactly_the_same_backup()
    {
        var layouts = new BackupLayouts();
        var (backup, layout) = (BackupOf("a"), LayoutOf(1));
        layouts.Add(backup, layout);

        Assert.Same(layout, layouts.Find(BackupOf("a")));
        Assert.Null(layouts.Find(BackupOf("b")));
        Assert.Null(layouts.Find(backup with { PartsSha256 = "other" }));
        Assert.Null(layouts.Find(backup with { ReceivedAt = Time.AddMilliseconds(1) }));
        layouts.Remove(backup);
        Assert.Null(layouts.Find(backup));
    }

    [Fact]
    public void The_least_recently_read_are_dropped_first_and_the_newest_never()
    {
        var layouts = new BackupLayouts();
        foreach (var name in (string[])["a", "b", "c"])
            layouts.Add(BackupOf(name), LayoutOf(20_000));
        Assert.NotNull(layouts.Find(BackupOf("a")));

        layouts.Add(BackupOf("d"), LayoutOf(20_000));

        Assert.NotNull(layouts.Find(BackupOf("a")));
        Assert.Null(layouts.Find(BackupOf("b")));
        Assert.NotNull(layouts.Find(BackupOf("c")));

        layouts.Add(BackupOf("huge"), LayoutOf(700_000));
        Assert.NotNull(layouts.Find(BackupOf("huge")));
        Assert.All((string[])["a", "c", "d"], name => Assert.Null(layouts.Find(BackupOf(name))));
    }

    [Fact]
    public void Parts_that_do_not_add_up_to_their_object_are_never_read()
    {
        var part = new StoredPart { Size = 1, Sha256 = new string('0', 64) };
        var stored = StoredObject.Of("key", [part, part]) with { Size = 3 };
        Assert.Throws<InvariantException>(() => BackupLayout.Of([stored]));
    }

    private static StoredObject ObjectOf(string key, ReadOnlySpan<byte> content, int partSize)
    {
        List<StoredPart> parts = [];
        for (; !content.IsEmpty; content = content[Math.Min(partSize, content.Length)..])
            parts.Add(StoredPart.Of(content[..Math.Min(partSize, content.Length)]));
        return StoredObject.Of(key, parts);
    }

    private static BackupLayout LayoutOf(int parts) =>
        BackupLayout.Of([
            StoredObject.Of(
                "key",
                [.. Enumerable.Repeat(new StoredPart { Size = 1, Sha256 = new string('0', 64) }, parts)]
            ),
        ]);

    private static SnapshotInfo BackupOf(string name) =>
        new()
        {
            SnapshotId = name,
            StorageKey = $"{name}.zfs",
            DatasetName = "tank/data",
            SnapshotName = "tank/data@s",
            SnapshotGuid = new SnapshotGuid(1),
            FromGuid = null,
            DatasetType = "filesystem",
            Timestamp = Time,
            ReceivedAt = Time,
            SizeBytes = 1,
            StreamBytes = 1,
            Compression = "none",
            Raw = false,
            Features = [],
            SendFlags = [],
            Sha256 = "digest",
            PartsSha256 = "digest",
        };
}
