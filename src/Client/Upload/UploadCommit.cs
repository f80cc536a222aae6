using System.Net;
using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// Commits an upload. The answer to the request may be lost; and an "ok" is accepted only if the server stored exactly
/// the bytes that were sent.
/// </summary>
internal sealed class UploadCommit(
    ApiClient server,
    UploadRequests requests,
    LocalSnapshot snapshot,
    RetryPolicy retry,
    UploadInquiry inquiry
)
{
    /// <summary>Sends a stream that fits into one part, in one request.</summary>
    /// <exception cref="StoredContentMismatchException">The server stored something else.</exception>
    public async Task<SnapshotInfo> SendWholeAsync(UploadPart whole, CancellationToken cancellationToken)
    {
        var backup = await CommitAsync(token => requests.SendWholeAsync(whole, token), cancellationToken);
        if (
            backup is null
            || !HasDigest(backup, Convert.ToHexStringLower(whole.Sha256))
            || !IsSnapshotSent(backup, whole.End.StreamOffset)
        )
            throw new StoredContentMismatchException();
        return backup;
    }

    /// <summary>Tells the server that all parts are sent.</summary>
    /// <param name="parts">The digest of all parts of the upload.</param>
    /// <param name="streamBytes">Bytes of the whole stream.</param>
    /// <exception cref="StoredContentMismatchException">The server stored something else.</exception>
    public async Task<SnapshotInfo> CompleteAsync(
        PartsDigest parts,
        long streamBytes,
        CancellationToken cancellationToken
    )
    {
        var request = new CompleteRequest
        {
            Parts = parts.Count,
            StreamBytes = streamBytes,
            PartsSha256 = parts.ToHex(),
        };
        var backup = await CommitAsync(token => requests.CompleteAsync(request, token), cancellationToken);
        if (backup is null || backup.PartsSha256 != request.PartsSha256 || !IsSnapshotSent(backup, streamBytes))
            throw new StoredContentMismatchException();
        return backup;
    }

    private async Task<SnapshotInfo?> CommitAsync(
        Func<CancellationToken, Task<UploadStateAnswer>> request,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return (await request(cancellationToken)).Snapshot;
        }
        catch (ApiException e) when (e.Status == HttpStatusCode.NotFound || e.Code == "snapshot_exists")
        {
            // An upload that was committed answers like this: only the answer to the commit was lost.
            var backups = await retry.RunAsync(server.GetSnapshotsAsync, cancellationToken);
            if (backups.FirstOrDefault(backup => backup.SnapshotGuid == snapshot.Guid) is { } backup)
                return backup;
            throw;
        }
        catch (OperationException e) when (e.Kind == FailureKind.Transient)
        {
            // The connection may have broken after the commit.
            if (await inquiry.FindBackupAsync(snapshot.Guid) is { Backup: { } backup })
                return backup;
            throw;
        }
    }

    /// <summary>
    /// A server that stores in ZFS does not keep the stored bytes; to it, the whole stream is one part.
    /// </summary>
    private static bool HasDigest(SnapshotInfo backup, string sha256) =>
        backup.IsLocal
            ? backup.PartsSha256 == StoredPart.DigestOf([new StoredPart { Size = 0, Sha256 = sha256 }])
            : backup.Sha256 == sha256;

    /// <summary>For a resumed upload into ZFS, the server counts the bytes received before as well.</summary>
    private bool IsSnapshotSent(SnapshotInfo backup, long streamBytes) =>
        backup.SnapshotGuid == snapshot.Guid
        && (backup.IsLocal ? backup.StreamBytes >= streamBytes : backup.StreamBytes == streamBytes);
}
