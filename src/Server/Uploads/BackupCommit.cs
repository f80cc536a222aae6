using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Makes a backup of what was received whole and right. The order is object, manifest, catalogue; what a crash leaves
/// between them <see cref="UploadRecovery"/> finishes or rolls back.
/// </summary>
internal sealed partial class BackupCommit(
    BackupStore store,
    BackupCatalogue catalogue,
    StreamAdmission admission,
    TimeProvider time,
    ILogger<BackupCommit> logger
)
{
    /// <summary>From here on a client that goes away changes nothing: the backup is whole.</summary>
    /// <param name="upload">The upload.</param>
    /// <param name="complete">Gives the objects their keys.</param>
    /// <param name="manifest">What the backup is.</param>
    /// <param name="reservation">What was reserved for it; null where the catalogue counts its parts already.</param>
    public async Task<SnapshotInfo> RunAsync(
        UploadRecord upload,
        Func<Task> complete,
        Manifest manifest,
        ClientQuota.Reservation? reservation = null
    )
    {
        await complete();
        await store.WriteManifestAsync(upload.StorageKey, manifest, CancellationToken.None);
        var backup = manifest.ToSnapshotInfo(upload.SnapshotId);
        if (!(reservation?.Settle(Commit) ?? Commit()))
        {
            if (manifest.FromGuid is { } from)
                admission.CheckBase(upload.ClientId, from, manifest.Features, upload.StorageType);
            throw StreamAdmission.Exists(upload.SnapshotId);
        }

        LogCommitted(upload.SnapshotId, upload.ClientId, manifest.StoredBytes, manifest.StreamBytes);
        return backup;

        bool Commit() => catalogue.Commit(upload.ClientId, upload.UploadId, backup);
    }

    /// <param name="upload">The upload.</param>
    /// <param name="begin">What the stream's BEGIN says.</param>
    /// <param name="whole">How long the stream is, and its checksum.</param>
    /// <param name="objects">What is stored.</param>
    /// <param name="sha256">Of all stored bytes; null where nobody knows it.</param>
    public Manifest Describe(
        UploadRecord upload,
        SnapshotStreamInfo begin,
        (long Length, long RecordCount, string EndChecksum) whole,
        IReadOnlyList<StoredObject> objects,
        string? sha256
    ) =>
        new()
        {
            FormatVersion = Manifest.CurrentFormatVersion,
            UploadId = upload.UploadId,
            ClientId = upload.ClientId,
            DatasetName = upload.DatasetName.Value,
            SnapshotName = begin.SnapshotName,
            SnapshotGuid = new SnapshotGuid(begin.SnapshotGuid),
            FromGuid = begin.IsIncremental ? new SnapshotGuid(begin.BaseGuid) : null,
            DatasetType = begin.Type == StreamType.Volume ? "volume" : "filesystem",
            Timestamp = begin.CreationTime,
            // As exact as the catalogue keeps it.
            ReceivedAt = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds()),
            Compression = upload.Compression.ApiName(),
            Raw = begin.IsRaw,
            SendFlags = upload.SendFlags,
            Features = begin.Features.Names(),
            StoredBytes = objects.Sum(stored => stored.Size),
            StreamBytes = whole.Length,
            RecordCount = whole.RecordCount,
            EndChecksum = whole.EndChecksum,
            Sha256 = sha256,
            PartsSha256 = StoredPart.DigestOf(objects.SelectMany(stored => stored.Parts)),
            LockedUntil = store.Objects.LockedUntil,
            SnapshotType = upload.SnapshotType,
            Properties = upload.Properties,
            Objects = objects,
        };

    [LoggerMessage(
        LogLevel.Information,
        "Committed {SnapshotId} of {ClientId}: {StoredBytes} bytes stored, {StreamBytes} bytes of stream"
    )]
    private partial void LogCommitted(string snapshotId, string clientId, long storedBytes, long streamBytes);
}
