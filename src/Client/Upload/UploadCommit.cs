using System.Net;
using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// The request that makes a backup of what was sent. Its answer may be lost; and "ok" is believed only if the server
/// stored the very bytes that were sent.
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
    /// <exception cref="StoredContentMismatchException">The server says that it stored something else.</exception>
    public async Task<SnapshotInfo> SendWholeAsync(UploadPart whole, CancellationToken cancellationToken)
    {
        var backup = await CommitAsync(token => requests.SendWholeAsync(whole, token), cancellationToken);
        return
            backup is not null
            && HasDigest(backup, Convert.ToHexStringLower(whole.Sha256))
            && IsSnapshotSent(backup, whole.End.StreamOffset)
            ? backup
            : throw new StoredContentMismatchException();
    }

    /// <summary>Says that all parts are there.</summary>
    /// <param name="parts">All of the upload's, in order.</param>
    /// <param name="streamBytes">Bytes of the whole stream.</param>
    /// <exception cref="StoredContentMismatchException">The server says that it stored something else.</exception>
    public async Task<SnapshotInfo> CompleteAsync(
        IReadOnlyList<StoredPart> parts,
        long streamBytes,
        CancellationToken cancellationToken
    )
    {
        var request = new CompleteRequest
        {
            Parts = parts.Count,
            StreamBytes = streamBytes,
            PartsSha256 = StoredPart.DigestOf(parts),
        };
        var backup = await CommitAsync(token => requests.CompleteAsync(request, token), cancellationToken);
        return backup?.PartsSha256 == request.PartsSha256 && IsSnapshotSent(backup, streamBytes)
            ? backup
            : throw new StoredContentMismatchException();
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
            // What an upload says after it was committed: then only the answer to that was lost.
            var backups = await retry.RunAsync(server.GetSnapshotsAsync, cancellationToken);
            if (backups.FirstOrDefault(backup => backup.SnapshotGuid == snapshot.Guid) is { } backup)
                return backup;
            throw;
        }
        catch (OperationException e) when (TransientFailure.OfUpload(e))
        {
            // The connection may have broken after the commit.
            if (await inquiry.FindBackupAsync(snapshot.Guid) is { Backup: { } backup })
                return backup;
            throw;
        }
    }

    /// <summary>What goes into ZFS is one part to the server, whose stored bytes it does not keep.</summary>
    private static bool HasDigest(SnapshotInfo backup, string sha256) =>
        backup.IsLocal
            ? backup.PartsSha256 == StoredPart.DigestOf([new StoredPart { Size = 0, Sha256 = sha256 }])
            : backup.Sha256 == sha256;

    /// <summary>In ZFS the rest of a stream is counted together with what was there.</summary>
    private bool IsSnapshotSent(SnapshotInfo backup, long streamBytes) =>
        backup.SnapshotGuid == snapshot.Guid
        && (backup.IsLocal ? backup.StreamBytes >= streamBytes : backup.StreamBytes == streamBytes);
}
