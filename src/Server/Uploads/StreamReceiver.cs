using Microsoft.Data.Sqlite;
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
    UploadCatalogue uploads,
    StoreFence fence,
    ILogger<StreamReceiver> logger
)
{
    /// <param name="replaceParts">Removes the parts that were stored of the upload before, once the stream is admitted;
    /// returns the upload, which may have got another key. Null: it has none.</param>
    /// <exception cref="RequestException">The stream is refused; nothing of it was kept.</exception>
    public async Task<SnapshotInfo> ReceiveAsync(
        UploadRecord upload,
        Stream body,
        ClientQuota.Reservation reservation,
        Func<Task<UploadRecord>>? replaceParts,
        CancellationToken cancellationToken
    )
    {
        var isAdmitted = false; // set by the thread that decodes
        await using var writer = store.Create(upload.StorageKey, upload.UploadId);
        var received = 0L;
        using var stored = new StoredBytesReader(body, async (block, token) =>
        {
            received += block.Length;
            await ReplacePartsAsync();
            // The parts that it replaces count towards the quota until then.
            if (replaceParts is null || received > store.MaxPartSize)
                await reservation.EnsureAsync(received);
            await writer.WriteAsync(block, token);
        });
        var facts = await DecodeAsync(
            upload,
            stored,
            begin =>
            {
                admission.Check(upload, begin);
                Volatile.Write(ref isAdmitted, true);
            },
            cancellationToken
        );
        await ReplacePartsAsync();
        await reservation.EnsureAsync(received);
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
                await RollBackAsync(upload);
            throw;
        }

        // What an earlier attempt stored is no longer needed once this stream is known to be one that may be stored.
        async Task ReplacePartsAsync()
        {
            if (replaceParts is null || !Volatile.Read(ref isAdmitted))
                return;
            var replaced = await replaceParts();
            replaceParts = null;
            if (replaced.StorageKey != upload.StorageKey && !writer.TryMove(replaced.StorageKey))
                throw RequestException.Conflict(
                    "upload_lost",
                    "What was stored of this upload is under a retention, and the upload got another key.",
                    "Send the snapshot again from its start."
                );
            upload = replaced;
        }
    }

    private static async Task<StreamInfo> DecodeAsync(
        UploadRecord upload,
        StoredBytesReader stored,
        Action<SnapshotStreamInfo> onBegin,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var facts = await StoredStreamDecoder.DecodeAsync(
                stored,
                upload.Compression,
                Limits.Bodies,
                onBegin,
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

    private async Task RollBackAsync(UploadRecord upload)
    {
        try
        {
            // What was committed, or taken over by another request, is not this one's to remove.
            if (!uploads.SetState(upload, UploadState.Committing))
                return;
            await fence.DemandAsync(CancellationToken.None); // it may be another server's by now
            var (manifest, first) = await store.FindAsync(upload.StorageKey, CancellationToken.None);
            if (BackupStore.IsOfAnother(upload.UploadId, manifest, first))
                return; // recovery says so
            await store.DeleteAsync(upload.StorageKey, CancellationToken.None);
            uploads.SetState(upload, UploadState.Receiving);
        }
        catch (Exception e) when (e is OperationException or SqliteException)
        {
            LogNotRemoved(upload.StorageKey, e.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "What was stored of {StorageKey} cannot be removed yet: {Reason}")]
    private partial void LogNotRemoved(string storageKey, string reason);
}
