using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Receives a whole stream in one body into the object store: stored and verified record by record in one pass,
/// committed only if all of it is valid.
/// </summary>
internal sealed partial class StreamReceiver(
    BackupStore store,
    BackupCommit commit,
    StreamAdmission admission,
    StoreFence fence,
    ILogger<StreamReceiver> logger
)
{
    /// <exception cref="RequestException">The stream is refused; nothing of it was kept.</exception>
    public async Task<SnapshotInfo> ReceiveAsync(
        UploadRecord upload,
        Stream body,
        ClientQuota.Reservation reservation,
        CancellationToken cancellationToken
    )
    {
        await using var writer = store.Create(upload.StorageKey, upload.UploadId);
        var received = 0L;
        using var stored = new StoredBytesReader(body, async (block, token) =>
        {
            received += block.Length;
            await reservation.EnsureAsync(received);
            await writer.WriteAsync(block, token);
        });
        var facts = await DecodeAsync(upload, stored, cancellationToken);
        await writer.FinishAsync(cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();

        var manifest = commit.Describe(
            upload,
            facts.Begin,
            (facts.Length, facts.RecordCount, facts.EndChecksum.ToString()),
            writer.Objects,
            StoredPart.DigestOf(writer.Parts),
            stored.GetSha256()
        );
        await commit.CheckStoreAsync(upload, manifest, cancellationToken);
        try
        {
            return await commit.RunAsync(
                upload,
                () => writer.CompleteAsync(CancellationToken.None),
                manifest,
                writer.Parts,
                reservation
            );
        }
        catch (Exception e) when (e is RequestException or StorageException)
        {
            // The catalogue refused the backup, or was not asked. If the catalogue itself failed while it wrote (any
            // other exception), its log may or may not hold the commit: then everything stays, and UploadRecovery
            // decides. It also removes what a store that has just failed cannot remove here.
            if (e is not StorageException { Fault: StorageFault.Exists })
                await RemoveAsync(upload.StorageKey);
            throw;
        }
    }

    private async Task<StreamInfo> DecodeAsync(
        UploadRecord upload,
        StoredBytesReader stored,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var facts = await StoredStreamDecoder.DecodeAsync(
                stored,
                upload.Compression,
                Limits.Bodies,
                begin => admission.Check(upload, begin),
                onVerified: null,
                cancellationToken
            );
            return facts.Kind == StreamKind.Package ? throw StreamAdmission.PackageRefused() : facts;
        }
        catch (SendStreamException e)
        {
            throw RequestException.Damaged("stream_damaged", e.Message, e);
        }
        catch (OperationException e) when (e.Kind == FailureKind.Stream)
        {
            throw RequestException.Damaged("compression_damaged", e.Message, e);
        }
    }

    private async Task RemoveAsync(string key)
    {
        try
        {
            await fence.DemandAsync(CancellationToken.None); // it may be another server's by now
            await store.DeleteAsync(key, CancellationToken.None);
        }
        catch (OperationException e)
        {
            LogNotRemoved(key, e.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "What was stored of {StorageKey} cannot be removed yet: {Reason}")]
    private partial void LogNotRemoved(string storageKey, string reason);
}
