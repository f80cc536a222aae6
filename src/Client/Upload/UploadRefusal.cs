using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// Asks why the server breaks connections: a refusal before all of a body was sent may show here only as a broken
/// connection.
/// </summary>
internal static class UploadRefusal
{
    /// <remarks>A request that this one replaced, since its connection seemed dead, is noted there, too.</remarks>
    /// <returns>Why it is of no use to try again; null where it is, or the server cannot be asked.</returns>
    public static async Task<OperationException?> FindAsync(
        ApiClient server,
        string uploadId,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var state = await server.GetUploadAsync(uploadId, cancellationToken);
            return
                state.LastError is { Code: not ("upload_broken_off" or "upload_replaced") } error
                && ApiClient.ToException((HttpStatusCode)error.Status, error) is var refusal
                && !TransientFailure.OfUpload(refusal)
                ? refusal
                : null;
        }
        catch (ApiException e) when (!TransientFailure.OfUpload(e))
        {
            return e; // the upload is gone, or the client is shut out
        }
        catch (OperationException)
        {
            return null;
        }
    }
}
