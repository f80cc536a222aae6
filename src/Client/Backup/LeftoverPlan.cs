using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Decides what to do with pending snapshots and open uploads that earlier runs left. What belongs to another server,
/// client or machine, and what a run elsewhere may still need, is left alone. A pure function of lists, without I/O.
/// </summary>
/// <param name="Acknowledge">Pending snapshots that the server has after all.</param>
/// <param name="Release">Committed snapshots that are still held.</param>
/// <param name="Adopt">Committed snapshots whose mark does not name their owner, and that this server has.</param>
/// <param name="Resume">The upload to resume; null if none.</param>
/// <param name="Drop">Uploads that cannot be resumed, and why.</param>
/// <param name="Remove">Pending snapshots that the server does not have and that are no longer needed.</param>
/// <param name="Unclear">Pending snapshots of which nobody here knows whether they are still needed: marked by an
/// earlier version, or by a run on another host.</param>
/// <param name="Active">The upload that a run on another host is sending; null if none is known.</param>
internal sealed record LeftoverPlan(
    IReadOnlyList<LocalSnapshot> Acknowledge,
    IReadOnlyList<LocalSnapshot> Release,
    IReadOnlyList<LocalSnapshot> Adopt,
    InterruptedUpload? Resume,
    IReadOnlyList<(UploadInfo Upload, string Reason)> Drop,
    IReadOnlyList<LocalSnapshot> Remove,
    IReadOnlyList<LocalSnapshot> Unclear,
    UploadInfo? Active
)
{
    /// <param name="dataset">The dataset.</param>
    /// <param name="fullFlags">Flags with which a new chain would begin: they decide whether it is sent raw.</param>
    /// <param name="local">Its snapshots and bookmarks.</param>
    /// <param name="remote">All of the client's backups on the server.</param>
    /// <param name="uploads">All of the client's open uploads.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="mayResume">False: every upload starts over.</param>
    public static LeftoverPlan Make(
        DatasetFacts dataset,
        IReadOnlyList<string> fullFlags,
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        IReadOnlyCollection<UploadInfo> uploads,
        ClientIdentity identity,
        bool mayResume
    )
    {
        var committed = remote.Select(backup => backup.SnapshotGuid).ToHashSet();
        var open = uploads.Where(upload => identity.IsOfThisMachine(upload.MachineId)).ToList();
        var uploading = open.Select(upload => upload.SnapshotGuid).OfType<SnapshotGuid>().ToHashSet();
        var pending = local.Where(snapshot => snapshot.Upload is { IsPending: true }).ToLookup(Judge);
        var own = open.Where(upload => BelongsTo(upload, dataset.Name, local, pending[Ownership.Own]))
            .Select(upload =>
                mayResume
                    ? Assess(upload, dataset, fullFlags, local, remote)
                    : (Upload: upload, Resume: null, Reason: "--no-resume was given")
            )
            .ToList();
        var resume = own.Select(assessed => assessed.Resume)
            .OfType<InterruptedUpload>()
            .MaxBy(upload => upload.Snapshot.CreateTxg);
        var marked = local.Where(snapshot => snapshot.Upload is { IsPending: false }).ToList();
        return new LeftoverPlan(
            [.. pending[Ownership.Own].Where(snapshot => committed.Contains(snapshot.Guid))],
            [.. marked.Where(snapshot => snapshot.IsHeld && (IsOwn(snapshot) || committed.Contains(snapshot.Guid)))],
            [.. marked.Where(snapshot => !IsOwn(snapshot) && committed.Contains(snapshot.Guid))],
            resume,
            [
                .. own.Where(assessed => assessed.Resume != resume || resume is null)
                    .Select(assessed => (assessed.Upload, assessed.Reason ?? "a newer one is resumed")),
            ],
            [
                .. pending[Ownership.Own]
                    .Where(snapshot => !committed.Contains(snapshot.Guid) && snapshot != resume?.Snapshot),
            ],
            [.. pending[Ownership.Unclear]],
            open.Find(upload => pending[Ownership.InUse].Any(snapshot => snapshot.Guid == upload.SnapshotGuid))
        );

        bool IsOwn(LocalSnapshot snapshot) => identity.Owns(snapshot.Upload!);

        // A GUID is 64 random bits, and no client tells it to two servers: what this server knows it got from here.
        Ownership Judge(LocalSnapshot snapshot)
        {
            var mark = snapshot.Upload!;
            if (committed.Contains(snapshot.Guid))
                return Ownership.Own;
            var isElsewhere = !identity.MayEnd(mark);
            if (uploading.Contains(snapshot.Guid))
            {
                var isActive = open.Exists(upload =>
                    upload is { Active: true } && upload.SnapshotGuid == snapshot.Guid
                );
                return isElsewhere && isActive ? Ownership.InUse : Ownership.Own;
            }

            if (mark.Owner is null)
                return Ownership.Unclear;
            if (!identity.Owns(mark))
                return Ownership.Others;
            return isElsewhere ? Ownership.Unclear : Ownership.Own;
        }
    }

    /// <summary>
    /// Whether an upload is one of this dataset and this program. Other datasets of the same client have uploads too,
    /// and a user may have announced a snapshot by hand. A renamed dataset is recognized by its snapshot.
    /// </summary>
    private static bool BelongsTo(
        UploadInfo upload,
        DatasetName dataset,
        IReadOnlyCollection<LocalSnapshot> local,
        IEnumerable<LocalSnapshot> own
    )
    {
        if (upload.SnapshotGuid is not { } guid)
            return false;
        var snapshot = FindSnapshot(guid, local);
        return snapshot is null ? upload.DatasetName == dataset.Value : own.Contains(snapshot);
    }

    private static (UploadInfo Upload, InterruptedUpload? Resume, string? Reason) Assess(
        UploadInfo upload,
        DatasetFacts dataset,
        IReadOnlyList<string> fullFlags,
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote
    )
    {
        if (FindSnapshot(upload.SnapshotGuid!.Value, local) is not { } snapshot)
            return (upload, null, "its snapshot no longer exists");
        if (remote.Any(backup => backup.SnapshotGuid == snapshot.Guid))
            return (upload, null, "the server already has the backup");
        if (!CompressionFormats.TryParse(upload.Compression, out var compression))
            return (upload, null, $"this version does not support the compression {upload.Compression}");
        var (flags, obstacle) = SendFlagPolicy.Continue(upload.SendFlags, fullFlags);
        if (flags is null)
            return (upload, null, obstacle);
        var (found, missing) = upload.FromGuid is { } from ? FindBase(from, snapshot, local, remote) : default;
        if (missing is not null)
            return (upload, null, missing);
        var expected = new ExpectedStream(snapshot, found?.Guid, dataset.IsVolume, flags);
        try
        {
            _ = ResumePoint.Read(upload.Resume, expected);
            return (upload, new InterruptedUpload(upload, snapshot, expected, compression, found), null);
        }
        catch (NotResumableException e)
        {
            return (upload, null, e.Message);
        }
    }

    private static LocalSnapshot? FindSnapshot(SnapshotGuid guid, IReadOnlyCollection<LocalSnapshot> local) =>
        local.FirstOrDefault(snapshot => snapshot.Guid == guid && !snapshot.Name.IsBookmark);

    private static (LocalSnapshot? Base, string? Reason) FindBase(
        SnapshotGuid guid,
        LocalSnapshot snapshot,
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote
    )
    {
        if (local.Where(snapshot => snapshot.Guid == guid).MaxBy(snapshot => snapshot.Name.IsBookmark) is not { } found)
            return (null, "its base no longer exists on this machine");
        if (found.CreateTxg >= snapshot.CreateTxg)
            return (null, "its base is not older than its snapshot");
        var chains = new BackupChains(remote);
        return remote.Any(backup => backup.SnapshotGuid == guid && chains.IsComplete(backup))
            ? (found, null)
            : (null, "the server no longer has its base");
    }
}

/// <summary>An upload that can be resumed.</summary>
/// <param name="Upload">The upload as the server describes it.</param>
/// <param name="Snapshot">The snapshot that it sends.</param>
/// <param name="Expected">The stream that may be sent for it.</param>
/// <param name="Compression">The compression with which it was begun, whatever the settings are now.</param>
/// <param name="Base">The base of an incremental; null for a full backup.</param>
internal sealed record InterruptedUpload(
    UploadInfo Upload,
    LocalSnapshot Snapshot,
    ExpectedStream Expected,
    CompressionFormat Compression,
    LocalSnapshot? Base
);

/// <summary>What this run may do with a pending snapshot.</summary>
internal enum Ownership
{
    /// <summary>Resume it, acknowledge it or remove it.</summary>
    Own,

    /// <summary>Nothing: it belongs to another server or client.</summary>
    Others,

    /// <summary>Nothing: a run on another host is sending it.</summary>
    InUse,

    /// <summary>Nothing but tell the user.</summary>
    Unclear,
}
