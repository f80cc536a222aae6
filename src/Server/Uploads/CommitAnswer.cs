using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Answers requests about an upload with its state; a commit is also noted in the audit log.</summary>
internal sealed class CommitAnswer(AuditLog audit)
{
    public Task WriteCommittedAsync(HttpContext context, UploadRecord upload, SnapshotInfo backup)
    {
        audit.Write(
            AuditEvent.OfRequest(context, AuditEvents.BackupCommitted, upload.ClientId) with
            {
                SnapshotId = backup.SnapshotId,
            }
        );
        return WriteAsync(context, upload, "committed", "The backup is verified and stored.", backup);
    }

    /// <param name="isActive">Whether a request is sending parts or the stream now.</param>
    public static Task WriteOpenAsync(HttpContext context, UploadRecord upload, bool isActive) =>
        WriteAsync(context, upload, isActive ? "receiving" : "open", "The upload is not committed.", backup: null);

    private static Task WriteAsync(
        HttpContext context,
        UploadRecord upload,
        string state,
        string message,
        SnapshotInfo? backup
    )
    {
        var answer = new UploadStateAnswer
        {
            Success = true,
            Message = message,
            UploadId = upload.UploadId,
            State = state,
            StorageKey = upload.StorageKey,
            LastError = backup is null ? upload.LastError : null,
            Snapshot = backup,
        };
        return context.Response.WriteAsJsonAsync(
            answer,
            ApiJson.Default.UploadStateAnswer,
            cancellationToken: context.RequestAborted
        );
    }
}
