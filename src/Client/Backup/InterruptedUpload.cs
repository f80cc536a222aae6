using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>An upload that can be resumed.</summary>
/// <param name="Upload">The upload as the server describes it.</param>
/// <param name="Snapshot">The snapshot that it sends.</param>
/// <param name="Expected">The stream that may be sent for it.</param>
/// <param name="Compression">The compression with which it was begun, whatever the settings are now.</param>
/// <param name="Base">The base of an incremental; null for a full backup.</param>
internal sealed record InterruptedUpload(
    UploadInfo Upload,
    LocalSnapshot Snapshot,
    ExpectedStream Expected,
    CompressionFormat Compression,
    LocalSnapshot? Base
);
