using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>The snapshot that an upload creates.</summary>
internal static class UploadTarget
{
    /// <returns>Null if its stream has not begun yet, or is for the object store.</returns>
    public static SnapshotName? Of(UploadRecord upload) =>
        upload.IsLocal && SnapshotName.TryParse(upload.StorageKey, out var name, out _) ? name : null;

    /// <summary>The client's dataset, which contains a received one.</summary>
    public static DatasetName ParentOf(DatasetName received) => ClientDatasets.Above(received);
}
