using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Uploads.Objects;
using ZfsSnapshotManager.Server.Uploads.Zfs;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Chooses the backend that receives an upload.</summary>
internal sealed class UploadBackends(ObjectUploads objects, ZfsUploads zfs)
{
    public IUploadBackend Of(UploadRecord upload) => upload.IsLocal ? zfs : objects;
}
