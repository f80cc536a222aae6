using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>How uploads end, as events.</summary>
internal static class UploadEvents
{
    public static ServerEvent Committed(UploadRecord upload, SnapshotInfo backup, DateTimeOffset now) =>
        Of(
            ServerEvents.BackupCommitted,
            upload,
            now,
            ("stored_bytes", $"{backup.SizeBytes}"),
            ("stream_bytes", $"{backup.StreamBytes}")
        ) with
        {
            SnapshotId = upload.SnapshotId,
        };

    /// <summary>What was received of an upload is gone.</summary>
    /// <param name="name">One of <see cref="ServerEvents"/>.</param>
    public static ServerEvent Ended(string name, UploadRecord upload, DateTimeOffset now) =>
        Of(name, upload, now, ("upload_id", upload.UploadId), ("dataset", upload.DatasetName.Value));

    private static ServerEvent Of(
        string name,
        UploadRecord upload,
        DateTimeOffset now,
        params IEnumerable<(string Name, string Value)> details
    ) =>
        ServerEvent.Of(name, upload.RequestAddress is null ? EventActor.Server : EventActor.Client, now, details) with
        {
            ClientId = upload.ClientId,
            Address = upload.RequestAddress,
        };
}
