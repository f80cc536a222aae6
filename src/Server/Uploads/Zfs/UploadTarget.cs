using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>The snapshot that an upload becomes.</summary>
internal static class UploadTarget
{
    /// <returns>Null where its stream did not begin yet, or goes to the object store.</returns>
    public static SnapshotName? Of(UploadRecord upload) =>
        upload.IsLocal && SnapshotName.TryParse(upload.StorageKey, out var name, out _) ? name : null;

    /// <summary>The client's dataset, in which a received one lies.</summary>
    public static DatasetName ParentOf(DatasetName received) => ClientDatasets.Above(received);
}
