using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>Drops an upload on the server.</summary>
internal static class UploadAbort
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <returns>Why the server broke it off, if it did: a refusal in mid-stream shows here only as a broken
    /// connection.</returns>
    public static async Task<OperationException?> RunAsync(ApiClient server, string uploadId, TimeProvider time)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            var state = await server.GetUploadAsync(uploadId, patience.Token);
            await server.AbortUploadAsync(uploadId, patience.Token);
            return state.LastError is { } error and not { Code: "upload_broken_off" or "upload_replaced" }
                ? ApiClient.ToException((HttpStatusCode)error.Status, error)
                : null;
        }
        catch (Exception e) when (e is OperationException or OperationCanceledException)
        {
            return null; // the upload is gone, or the server is: it forgets the upload by itself
        }
    }
}
