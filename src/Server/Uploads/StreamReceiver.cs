using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Takes a whole stream in: stored and verified record by record in one pass, committed only when all of it was right. The order of a commit
/// is object, manifest, catalogue; what a crash leaves between them <see cref="UploadRecovery"/> finishes or rolls back.
/// </summary>
internal sealed partial class StreamReceiver(BackupStore store, BackupCatalogue catalogue, TimeProvider time, ILogger<StreamReceiver> logger)
{
    /// <exception cref="RequestException">The stream is refused; nothing of it was kept.</exception>
    public async Task<SnapshotInfo> ReceiveAsync(UploadRecord upload, Stream body, CancellationToken cancellationToken)
    {
        await using var writer = store.Create(upload.StorageKey, upload.UploadId);
        using var stored = new StoredBytesReader(body, writer.WriteAsync);
        var facts = await DecodeAsync(upload, stored, cancellationToken).ConfigureAwait(false);
        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();

        // From here on a client that goes away changes nothing: the backup is whole.
        return await CommitAsync(upload, writer, Describe(upload, stored, writer.Objects, facts)).ConfigureAwait(false);
    }

    private async Task<StreamFacts> DecodeAsync(UploadRecord upload, StoredBytesReader stored, CancellationToken cancellationToken)
    {
        try
        {
            var facts = await StoredStreamDecoder.DecodeAsync(stored, upload.Compression, begin => CheckBegin(upload, begin), onVerified: null, cancellationToken).ConfigureAwait(false);
            return facts.Kind == StreamKind.Package ? throw PackageRefused() : facts;
        }
        catch (SendStreamException e)
        {
            throw RequestException.Damaged("stream_damaged", e.Message, e);
        }
        catch (OperationException e) when (e.ExitCode == ExitCode.Damaged)
        {
            throw RequestException.Damaged("compression_damaged", e.Message, e);
        }
    }

    private void CheckBegin(UploadRecord upload, BeginFacts begin)
    {
        if (begin.IsPackage) throw PackageRefused();
        StreamIdentity.Check(upload, begin);
        var from = begin.IsIncremental ? new SnapshotGuid(begin.FromGuid) : (SnapshotGuid?)null;
        if (from is { } known) CheckBase(upload.ClientId, known, begin.Features.Names());
        if (catalogue.Find(upload.ClientId, upload.DatasetName, new SnapshotGuid(begin.ToGuid), from) is { } same) throw Exists(same.SnapshotId);
    }

    private async Task<SnapshotInfo> CommitAsync(UploadRecord upload, BackupWriter writer, Manifest manifest)
    {
        try
        {
            await writer.CompleteAsync(CancellationToken.None).ConfigureAwait(false);
            await store.WriteManifestAsync(upload.StorageKey, manifest, CancellationToken.None).ConfigureAwait(false);
            var backup = manifest.ToSnapshotInfo(upload.SnapshotId);
            if (!catalogue.Commit(upload.ClientId, upload.UploadId, backup))
            {
                if (manifest.FromGuid is { } from) CheckBase(upload.ClientId, from, manifest.Features);
                throw Exists(upload.SnapshotId);
            }

            LogCommitted(upload.SnapshotId, upload.ClientId, manifest.StoredBytes, manifest.StreamBytes);
            return backup;
        }
        catch (Exception e) when (e is RequestException or StorageException)
        {
            // The catalogue said no, or was not asked. Where it failed while it wrote, nobody knows what a restart will find in its log:
            // then all stays as it is, and UploadRecovery settles it. So it does where a store that has just failed fails here again.
            if (e is not StorageException { Fault: StorageFault.Exists }) await RemoveAsync(upload.StorageKey).ConfigureAwait(false);
            throw;
        }
    }

    private async Task RemoveAsync(string key)
    {
        try
        {
            await store.DeleteAsync(key, CancellationToken.None).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            LogNotRemoved(key, e.Message);
        }
    }

    private Manifest Describe(UploadRecord upload, StoredBytesReader stored, IReadOnlyList<StoredObject> objects, StreamFacts facts)
    {
        var begin = facts.Begin;
        return new Manifest
        {
            FormatVersion = Manifest.CurrentFormatVersion,
            UploadId = upload.UploadId,
            ClientId = upload.ClientId,
            DatasetName = upload.DatasetName.Value,
            SnapshotName = begin.SnapshotName,
            SnapshotGuid = new SnapshotGuid(begin.ToGuid),
            FromGuid = begin.IsIncremental ? new SnapshotGuid(begin.FromGuid) : null,
            DatasetType = begin.Type == StreamType.Volume ? "volume" : "filesystem",
            Timestamp = begin.CreationTime,
            ReceivedAt = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds()), // as exact as the catalogue keeps it
            Compression = upload.Compression.ApiName(),
            Raw = begin.IsRaw,
            SendFlags = upload.SendFlags,
            Features = begin.Features.Names(),
            StoredBytes = stored.BytesRead,
            StreamBytes = facts.Length,
            RecordCount = facts.RecordCount,
            EndChecksum = facts.EndChecksum.ToString(),
            Sha256 = stored.GetSha256(),
            PartsSha256 = StoredPart.DigestOf(objects.SelectMany(written => written.Parts)),
            LockedUntil = store.Objects.LockedUntil,
            Objects = objects,
        };
    }

    private static RequestException PackageRefused() => new(
        StatusCodes.Status422UnprocessableEntity,
        "stream_is_package",
        "The stream is a replication package (zfs send -R or -p) of several streams.",
        "Nothing was stored. Send each snapshot by itself, without -R and -p.");

    private void CheckBase(string clientId, SnapshotGuid from, IReadOnlyList<string> features)
    {
        var obstacles = catalogue.FindBases(clientId, from).Select(known => ChainLink.FindObstacle(known, features)).ToList();
        if (obstacles.Contains(null)) return;
        var why = obstacles.Count == 0 ? "no backup here holds that one" : $"what is here of that one does not fit: {obstacles[0]}";
        throw RequestException.Conflict("base_missing", $"The stream is incremental from the snapshot with GUID {from}, and {why}.", "Nothing was stored. Send a full backup: zfs-client backup-full.");
    }

    private static RequestException Exists(string snapshotId) => RequestException.Conflict("snapshot_exists", $"This snapshot is already stored as {snapshotId}.");

    [LoggerMessage(LogLevel.Information, "Committed {SnapshotId} of {ClientId}: {StoredBytes} bytes stored, {StreamBytes} bytes of stream")]
    private partial void LogCommitted(string snapshotId, string clientId, long storedBytes, long streamBytes);

    [LoggerMessage(LogLevel.Warning, "What was stored of {StorageKey} is not removed yet: {Reason}")]
    private partial void LogNotRemoved(string storageKey, string reason);
}
