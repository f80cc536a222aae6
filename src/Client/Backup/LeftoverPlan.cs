using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// What becomes of what earlier runs left: snapshots that are marked as pending, and open uploads. Decided from lists
/// alone, without I/O.
/// </summary>
/// <param name="Acknowledge">Snapshots that the server has after all.</param>
/// <param name="Release">Committed snapshots that are still held.</param>
/// <param name="Resume">The upload that goes on; null if none.</param>
/// <param name="Drop">Uploads that cannot go on, and why.</param>
/// <param name="Remove">Snapshots that the server does not have and that are of no use.</param>
internal sealed record LeftoverPlan(
    IReadOnlyList<LocalSnapshot> Acknowledge,
    IReadOnlyList<LocalSnapshot> Release,
    InterruptedUpload? Resume,
    IReadOnlyList<(UploadInfo Upload, string Reason)> Drop,
    IReadOnlyList<LocalSnapshot> Remove
)
{
    /// <param name="dataset">The dataset.</param>
    /// <param name="local">Its snapshots and bookmarks.</param>
    /// <param name="remote">All of the client's backups on the server.</param>
    /// <param name="uploads">All of the client's open uploads.</param>
    /// <param name="mayResume">False: everything starts over.</param>
    public static LeftoverPlan Make(
        DatasetName dataset,
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        IReadOnlyCollection<UploadInfo> uploads,
        bool mayResume
    )
    {
        var committed = remote.Select(backup => backup.SnapshotGuid).ToHashSet();
        var pending = local.Where(snapshot => snapshot.Upload == UploadMark.Pending).ToList();
        var ours = uploads
            .Where(upload => IsOurs(upload, dataset, local))
            .Select(upload => Judge(upload, local, remote, committed, mayResume))
            .ToList();
        var resume = ours.Select(judged => judged.Resume)
            .OfType<InterruptedUpload>()
            .MaxBy(upload => upload.Snapshot.CreateTxg);
        return new LeftoverPlan(
            [.. pending.Where(snapshot => committed.Contains(snapshot.Guid))],
            [.. local.Where(snapshot => snapshot is { Upload: UploadMark.Committed, IsHeld: true })],
            resume,
            [
                .. ours.Where(judged => judged.Resume != resume || resume is null)
                    .Select(judged => (judged.Upload, judged.Reason ?? "a newer one goes on")),
            ],
            [.. pending.Where(snapshot => !committed.Contains(snapshot.Guid) && snapshot != resume?.Snapshot)]
        );
    }

    /// <summary>
    /// Other datasets of the same client have uploads, too; and who sends by hand may have announced a snapshot that
    /// this tool did not make. A renamed dataset is known by its snapshot.
    /// </summary>
    private static bool IsOurs(UploadInfo upload, DatasetName dataset, IReadOnlyCollection<LocalSnapshot> local)
    {
        if (upload.SnapshotGuid is not { } guid)
            return false;
        var snapshot = FindSnapshot(guid, local);
        return snapshot is null ? upload.DatasetName == dataset.Value : snapshot.Upload == UploadMark.Pending;
    }

    private static (UploadInfo Upload, InterruptedUpload? Resume, string? Reason) Judge(
        UploadInfo upload,
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        HashSet<SnapshotGuid> committed,
        bool mayResume
    )
    {
        if (FindSnapshot(upload.SnapshotGuid!.Value, local) is not { } snapshot)
            return (upload, null, "its snapshot is gone");
        if (!mayResume)
            return (upload, null, "everything is to start over");
        if (committed.Contains(snapshot.Guid))
            return (upload, null, "the server has the backup already");
        if (!CompressionFormats.TryParse(upload.Compression, out var compression))
            return (upload, null, $"this version does not know the compression {upload.Compression}");
        var (found, missing) = upload.FromGuid is { } from ? FindBase(from, local, remote) : default;
        if (missing is not null)
            return (upload, null, missing);
        try
        {
            var begin = ResumeStart.Judge(upload.Resume).State.Snapshot!;
            return begin.SnapshotGuid == snapshot.Guid.Value && begin.BaseGuid == (upload.FromGuid?.Value ?? 0)
                ? (upload, new InterruptedUpload(upload, snapshot, compression, found), null)
                : (upload, null, "it holds the stream of another snapshot");
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
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote
    )
    {
        if (local.Where(snapshot => snapshot.Guid == guid).MaxBy(snapshot => snapshot.Name.IsBookmark) is not { } found)
            return (null, "what it builds on is gone here");
        var chains = new BackupChains(remote);
        return remote.Any(backup => backup.SnapshotGuid == guid && chains.IsComplete(backup))
            ? (found, null)
            : (null, "the server no longer has what it builds on");
    }
}

/// <summary>An upload that goes on.</summary>
/// <param name="Upload">As the server knows it.</param>
/// <param name="Snapshot">What it sends.</param>
/// <param name="Compression">How it was begun, whatever the settings say now.</param>
/// <param name="Base">What an incremental builds on; null for a full one.</param>
internal sealed record InterruptedUpload(
    UploadInfo Upload,
    LocalSnapshot Snapshot,
    CompressionFormat Compression,
    LocalSnapshot? Base
);
