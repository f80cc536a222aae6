using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Objects;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Commits what was received complete and valid. The order is the state, object, manifest, catalogue; after a crash in
/// between, <see cref="ObjectRecovery"/> finishes the commit or rolls it back.
/// </summary>
internal sealed class BackupCommit(
    BackupStore store,
    BackupCatalogue catalogue,
    UploadCatalogue uploads,
    StreamAdmission admission,
    StoreFence fence,
    StoredBase storedBase,
    TimeProvider time
)
{
    /// <summary>Checks that the store is still this server's, and has the base. Nothing is stored before.</summary>
    /// <exception cref="RequestException">409: the store lost the base.</exception>
    /// <exception cref="StorageException">Another server has taken the store.</exception>
    public async Task CheckStoreAsync(UploadRecord upload, Manifest manifest, CancellationToken cancellationToken)
    {
        await fence.DemandAsync(cancellationToken);
        if (manifest.FromGuid is { } from)
            await storedBase.DemandAsync(
                upload.ClientId,
                from,
                listed => ChainLink.Fits(listed, manifest.Features),
                cancellationToken
            );
    }

    /// <summary>From here on a client that disconnects changes nothing: the backup is complete.</summary>
    /// <param name="upload">The upload.</param>
    /// <param name="complete">Gives the objects their keys.</param>
    /// <param name="manifest">Describes the backup.</param>
    /// <param name="parts">Those of all its objects, in order.</param>
    /// <param name="reservation">What was reserved for it; null if the catalogue already counts its parts.</param>
    public async Task<SnapshotInfo> RunAsync(
        UploadRecord upload,
        Func<Task> complete,
        Manifest manifest,
        IReadOnlyCollection<StoredPart> parts,
        ClientQuota.Reservation? reservation = null
    )
    {
        // What is committed is what a reader finds: ManifestWriter checks the rest by the rules of ManifestReader.
        Invariant.Require(
            manifest.Objects[0].Key == upload.StorageKey && manifest.UploadId == upload.UploadId,
            $"the manifest of {upload.StorageKey} belongs to its upload"
        );
        admission.RequireClient(upload.ClientId);
        if (!uploads.SetState(upload, UploadState.Committing))
            throw StreamAdmission.Dropped();
        await complete();
        // To complete an object may take minutes.
        await fence.DemandAsync(CancellationToken.None);
        admission.RequireClient(upload.ClientId);
        manifest = manifest with { LockedUntil = await store.LockAsync(manifest.Objects, CancellationToken.None) };
        await store.WriteManifestAsync(upload.StorageKey, manifest, parts, CancellationToken.None);
        var backup = manifest.ToSnapshotInfo(upload.SnapshotId);
        var isCommitted = reservation is null ? Commit() : reservation.Finish(Commit);
        if (!isCommitted)
        {
            if (manifest.FromGuid is { } from)
                admission.CheckBase(upload.ClientId, from, manifest.Features, upload.StorageType);
            throw StreamAdmission.Exists(upload.SnapshotId);
        }

        return backup;

        bool Commit() => catalogue.Commit(upload, backup, UploadEvents.Committed(upload, backup, time.GetUtcNow()));
    }

    /// <param name="upload">The upload.</param>
    /// <param name="begin">What the stream's BEGIN says.</param>
    /// <param name="whole">The length of the stream in bytes, its number of records and its checksum.</param>
    /// <param name="objects">What is stored; empty for ZFS.</param>
    /// <param name="partsSha256">The digest of the digests of all parts.</param>
    /// <param name="sha256">SHA-256 of all stored bytes; null if unknown.</param>
    public Manifest Describe(
        UploadRecord upload,
        SnapshotStreamInfo begin,
        (long Length, long RecordCount, string EndChecksum) whole,
        IReadOnlyList<StoredObject> objects,
        string partsSha256,
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
            DatasetType = begin.Type == DatasetType.Volume ? "volume" : "filesystem",
            Timestamp = begin.CreationTime,
            // With the precision of the catalogue.
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
            PartsSha256 = partsSha256,
            LockedUntil = null, // once the objects are complete
            SnapshotType = upload.SnapshotType,
            MachineId = upload.MachineId,
            MachineName = upload.MachineName,
            Properties = upload.Properties,
            EffectiveProperties = upload.EffectiveProperties,
            Objects = objects,
        };
}
