using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>A stream that is to be sent.</summary>
/// <param name="Snapshot">Of what.</param>
/// <param name="Request">What the server is told of it; for one that goes on, the same as at first.</param>
/// <param name="Compression">How it is stored.</param>
/// <param name="Send">How ZFS sends it from its start; null for one that goes on where the server has it.</param>
internal sealed record UploadJob(
    LocalSnapshot Snapshot,
    UploadRequest Request,
    CompressionFormat Compression,
    ZfsSend? Send
)
{
    /// <summary>Its backup among those of the server.</summary>
    public SnapshotInfo? Find(IEnumerable<SnapshotInfo> backups) =>
        backups.FirstOrDefault(backup => backup.SnapshotGuid == Snapshot.Guid);
}
