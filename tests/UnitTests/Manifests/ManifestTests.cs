using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.UnitTests.Manifests;

public sealed class ManifestTests
{
    [Fact]
    public void What_is_written_can_be_read()
    {
        var manifest = Make(StoredPart.Of([1, 2, 3]), StoredPart.Of([4]));

        var read = Manifest.Parse(manifest.ToJson());

        Assert.Equal(manifest.PartsSha256, read.PartsSha256);
        Assert.Equal(manifest.Objects[0].Parts, read.Objects[0].Parts);
    }

    [Fact]
    public void What_could_not_be_read_is_not_written()
    {
        var manifest = Make(StoredPart.Of([1, 2, 3]));

        foreach (
            var wrong in (Manifest[])
                [
                    manifest with
                    {
                        StoredBytes = 4,
                    },
                    manifest with
                    {
                        PartsSha256 = new string('0', 64),
                    },
                    manifest with
                    {
                        Objects = [],
                    },
                    manifest with
                    {
                        FormatVersion = 2,
                    },
                ]
        )
            Assert.Throws<InvalidOperationException>(wrong.ToJson);
    }

    internal static Manifest Make(params StoredPart[] parts) =>
        new()
        {
            FormatVersion = Manifest.CurrentFormatVersion,
            UploadId = "u",
            ClientId = "web1",
            DatasetName = "tank/data",
            SnapshotName = "monday",
            SnapshotGuid = new SnapshotGuid(7),
            FromGuid = null,
            DatasetType = "filesystem",
            Timestamp = DateTimeOffset.UnixEpoch,
            ReceivedAt = DateTimeOffset.UnixEpoch,
            Compression = "none",
            Raw = false,
            SendFlags = ["-L"],
            Features = ["LargeBlocks"],
            StoredBytes = parts.Sum(part => part.Size),
            StreamBytes = parts.Sum(part => part.Size),
            RecordCount = 3,
            EndChecksum = "1:2:3:4",
            PartsSha256 = StoredPart.DigestOf(parts),
            Objects = [StoredObject.Of("web1/tank_data_1970-01-01_00:00:00.zfs", parts)],
        };
}
