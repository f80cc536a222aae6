using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>A stream to send.</summary>
/// <param name="Snapshot">The snapshot that is sent.</param>
/// <param name="Request">The announcement to the server; for a resumed upload the same as at first.</param>
/// <param name="Expected">What <c>zfs send</c> may send.</param>
/// <param name="Compression">How the stream is stored.</param>
/// <param name="Send">How ZFS sends it from its start; null if an upload is to be resumed.</param>
/// <param name="Stored">Bytes of its stream that the server has; null if it has nothing.</param>
internal sealed record UploadSource(
    LocalSnapshot Snapshot,
    UploadRequest Request,
    ExpectedStream Expected,
    CompressionFormat Compression,
    ZfsSend? Send,
    long? Stored = null
)
{
    /// <summary>Finds its backup among those of the server.</summary>
    public SnapshotInfo? Find(IEnumerable<SnapshotInfo> backups) =>
        backups.FirstOrDefault(backup => backup.SnapshotGuid == Snapshot.Guid);
}
