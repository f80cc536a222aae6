using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Decides what to do with pending snapshots and open uploads that earlier runs left. A pure function of lists, without
/// I/O.
/// </summary>
/// <param name="Acknowledge">Pending snapshots that the server has after all.</param>
/// <param name="Release">Committed snapshots that are still held.</param>
/// <param name="Resume">The upload to resume; null if none.</param>
/// <param name="Drop">Uploads that cannot be resumed, and why.</param>
/// <param name="Remove">Pending snapshots that the server does not have and that are no longer needed.</param>
internal sealed record LeftoverPlan(
    IReadOnlyList<LocalSnapshot> Acknowledge,
    IReadOnlyList<LocalSnapshot> Release,
    InterruptedUpload? Resume,
    IReadOnlyList<(UploadInfo Upload, string Reason)> Drop,
    IReadOnlyList<LocalSnapshot> Remove
)
{
    /// <param name="dataset">The dataset.</param>
    /// <param name="fullFlags">Flags with which a new chain would begin: they decide whether it is sent raw.</param>
    /// <param name="local">Its snapshots and bookmarks.</param>
    /// <param name="remote">All of the client's backups on the server.</param>
    /// <param name="uploads">All of the client's open uploads.</param>
    /// <param name="mayResume">False: every upload starts over.</param>
    public static LeftoverPlan Make(
        DatasetFacts dataset,
        IReadOnlyList<string> fullFlags,
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        IReadOnlyCollection<UploadInfo> uploads,
        bool mayResume
    )
    {
        var committed = remote.Select(backup => backup.SnapshotGuid).ToHashSet();
        var pending = local.Where(snapshot => snapshot.Upload == UploadMark.Pending).ToList();
        var own = uploads
            .Where(upload => BelongsTo(upload, dataset.Name, local))
            .Select(upload =>
                mayResume
                    ? Assess(upload, dataset, fullFlags, local, remote)
                    : (Upload: upload, Resume: null, Reason: "--no-resume was given")
            )
            .ToList();
        var resume = own.Select(assessed => assessed.Resume)
            .OfType<InterruptedUpload>()
            .MaxBy(upload => upload.Snapshot.CreateTxg);
        return new LeftoverPlan(
            [.. pending.Where(snapshot => committed.Contains(snapshot.Guid))],
            [.. local.Where(snapshot => snapshot is { Upload: UploadMark.Committed, IsHeld: true })],
            resume,
            [
                .. own.Where(assessed => assessed.Resume != resume || resume is null)
                    .Select(assessed => (assessed.Upload, assessed.Reason ?? "a newer one is resumed")),
            ],
            [.. pending.Where(snapshot => !committed.Contains(snapshot.Guid) && snapshot != resume?.Snapshot)]
        );
    }

    /// <summary>
    /// Whether an upload is one of this dataset and this program. Other datasets of the same client have uploads too,
    /// and a user may have announced a snapshot by hand. A renamed dataset is recognized by its snapshot.
    /// </summary>
    private static bool BelongsTo(UploadInfo upload, DatasetName dataset, IReadOnlyCollection<LocalSnapshot> local)
    {
        if (upload.SnapshotGuid is not { } guid)
            return false;
        var snapshot = FindSnapshot(guid, local);
        return snapshot is null ? upload.DatasetName == dataset.Value : snapshot.Upload == UploadMark.Pending;
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
