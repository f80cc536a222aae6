using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// Asks the server about an upload that failed on this side: a refusal in the middle of a body may be visible here only
/// as a broken connection, and the answer to a commit may be lost. If the server does not answer, that is not reported:
/// the failure that led to the question is.
/// </summary>
internal sealed class UploadInquiry(ApiClient server, TimeProvider time)
{
    /// <summary>Two such questions fit into the 30 seconds in which a cancelled run ends.</summary>
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(15);

    /// <summary>Finds out whether the server has a backup of a snapshot after all.</summary>
    public async Task<CommittedBackup> FindBackupAsync(SnapshotGuid snapshot)
    {
        var backups = await TryAskAsync(server.GetSnapshotsAsync);
        return new CommittedBackup(backups is not null, backups?.FirstOrDefault(b => b.SnapshotGuid == snapshot));
    }

    /// <summary>
    /// Drops an upload on the server. If the server cannot be reached, it drops the upload itself when it expires.
    /// </summary>
    /// <returns>Why the server ended the upload; null if it did not, or does not answer.</returns>
    public Task<ApiException?> AbortAsync(string uploadId) =>
        TryAskAsync(async cancellationToken =>
        {
            var state = await server.GetUploadAsync(uploadId, cancellationToken);
            await server.AbortUploadAsync(uploadId, cancellationToken);
            return ReasonOf(state);
        });

    /// <summary>Finds out whether the server breaks the connections of an upload on purpose.</summary>
    /// <returns>Why retrying cannot succeed; null if it can, or if the server does not answer.</returns>
    public async Task<OperationException?> FindRefusalAsync(string uploadId, CancellationToken cancellationToken)
    {
        try
        {
            var reason = ReasonOf(await server.GetUploadAsync(uploadId, cancellationToken));
            return reason is null || reason.Kind == FailureKind.Transient ? null : reason;
        }
        catch (ApiException e) when (e.Kind != FailureKind.Transient)
        {
            return e; // the upload no longer exists, or the client is shut out
        }
        catch (OperationException)
        {
            return null;
        }
    }

    /// <summary>
    /// A broken connection, and a request that was replaced by its own repetition, are noted as errors too; neither
    /// says why the server would refuse.
    /// </summary>
    private static ApiException? ReasonOf(UploadStateAnswer state)
    {
        if (state.LastError is not { } error || error.Code is "upload_broken_off" or "upload_replaced")
            return null;
        return ApiException.Of((HttpStatusCode)error.Status, error);
    }

    private async Task<T?> TryAskAsync<T>(Func<CancellationToken, Task<T>> ask)
        where T : class?
    {
        using var timeout = new CancellationTokenSource(AnswerTimeout, time);
        try
        {
            return await ask(timeout.Token);
        }
        catch (Exception e) when (e is OperationException or OperationCanceledException)
        {
            return null;
        }
    }
}
