using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

internal static class TestUploads
{
    /// <summary>The uploads of a catalogue as a run of the server sees them.</summary>
    public static UploadCatalogue CatalogueIn(CatalogueDatabase database, TimeProvider time) =>
        new(database, new ServerRun(), new CatalogueReserve(database), time);

    /// <summary>An upload about which its client announced as little as possible.</summary>
    public static UploadRecord Make(string uploadId, string clientId) =>
        new()
        {
            UploadId = uploadId,
            ClientId = clientId,
            SnapshotId = $"{clientId}/tank_data",
            ObjectKey = $"{clientId}/tank_data.zfs",
            DatasetName = DatasetName.Parse("tank/data"),
            SnapshotName = null,
            SnapshotGuid = null,
            KindIsGiven = false,
            FromGuid = null,
            Compression = CompressionFormat.None,
            Raw = null,
            SendFlags = [],
            SnapshotType = default,
        };
}
