using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Answers requests about an upload with its state.</summary>
internal static class CommitAnswer
{
    public static Task WriteCommittedAsync(HttpContext context, UploadRecord upload, SnapshotInfo backup) =>
        WriteAsync(context, upload, "committed", "The backup is verified and stored.", backup);

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
            StorageKey = backup?.StorageKey ?? upload.StorageKey,
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
