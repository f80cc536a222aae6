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
internal sealed record LeftoverPlan
{
    /// <summary>Pending snapshots that the server has after all.</summary>
    public required IReadOnlyList<LocalSnapshot> Acknowledge { get; init; }

    /// <summary>Committed snapshots that are still held.</summary>
    public required IReadOnlyList<LocalSnapshot> Release { get; init; }

    /// <summary>Committed snapshots whose mark does not name their owner, and that this server has.</summary>
    public required IReadOnlyList<LocalSnapshot> Adopt { get; init; }

    /// <summary>The upload to resume; null if none.</summary>
    public required InterruptedUpload? Resume { get; init; }

    /// <summary>Uploads that cannot be resumed, and why.</summary>
    public required IReadOnlyList<(UploadInfo Upload, string Reason)> Drop { get; init; }

    /// <summary>Pending snapshots that the server does not have and that are no longer needed.</summary>
    public required IReadOnlyList<LocalSnapshot> Remove { get; init; }

    /// <summary>
    /// Pending snapshots that an earlier version marked, without an owner: nobody here knows whether they are still
    /// needed.
    /// </summary>
    public required IReadOnlyList<LocalSnapshot> Unclear { get; init; }

    /// <summary>
    /// Pending snapshots of this client that a run on another host made, and whose upload the server does not know
    /// (yet).
    /// </summary>
    public required IReadOnlyList<LocalSnapshot> Elsewhere { get; init; }

    /// <summary>The upload that a run on another host is sending; null if none is known.</summary>
    public required UploadInfo? Active { get; init; }

    /// <param name="dataset">The dataset.</param>
    /// <param name="fullFlags">Flags with which a new chain would begin: they decide whether it is sent raw.</param>
    /// <param name="local">Its snapshots and bookmarks.</param>
    /// <param name="remote">The client's backups of the dataset and of its snapshots, with all that they build
    /// on.</param>
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
        var open = uploads.Where(upload => identity.IsOfThisMachine(upload, local)).ToList();
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
        return new LeftoverPlan
        {
            Acknowledge = [.. pending[Ownership.Own].Where(snapshot => committed.Contains(snapshot.Guid))],
            Release =
            [
                .. marked.Where(snapshot => snapshot.IsHeld && (IsOwn(snapshot) || committed.Contains(snapshot.Guid))),
            ],
            Adopt = [.. marked.Where(snapshot => !IsOwn(snapshot) && committed.Contains(snapshot.Guid))],
            Resume = resume,
            Drop =
            [
                .. own.Where(assessed => assessed.Resume != resume || resume is null)
                    .Select(assessed => (assessed.Upload, assessed.Reason ?? "a newer one is resumed")),
            ],
            Remove =
            [
                .. pending[Ownership.Own]
                    .Where(snapshot => !committed.Contains(snapshot.Guid) && snapshot != resume?.Snapshot),
            ],
            Unclear = [.. pending[Ownership.Unclear]],
            Elsewhere = [.. pending[Ownership.Elsewhere]],
            Active = open.Find(upload =>
                pending[Ownership.InUse].Any(snapshot => snapshot.Guid == upload.SnapshotGuid)
            ),
        };

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
            return isElsewhere ? Ownership.Elsewhere : Ownership.Own;
        }
    }

    /// <summary>The pending snapshots that stay as they are, each kind with what the user can do about it.</summary>
    public IEnumerable<string> DescribeLeftAlone()
    {
        if (Unclear is [var first, ..])
            yield return $"{Leaves(Unclear)} waits for an upload that this server does not know, marked by an earlier "
                + "version; left alone. If nothing else uses it: "
                + $"zfs release {first.Upload!.HoldTag} {first.Name}; zfs destroy {first.Name}";
        if (Elsewhere.Count > 0)
            yield return $"{Leaves(Elsewhere)} waits for an upload by a run on another host; left alone. If that host "
                + "no longer backs up this dataset (a failover, for example): zfs-client backup --take-over";

        static string Leaves(IEnumerable<LocalSnapshot> snapshots) =>
            string.Join(", ", snapshots.Select(snapshot => snapshot.Name.Leaf));
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
