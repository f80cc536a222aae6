using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Another machine that backs up a dataset of the same name under the same client id: a cloned machine, for example.
/// Each would take the other one's backups for its own history. The server refuses the second one; a client that looks
/// first sends nothing in vain, and destroys the snapshot that it has just made.
/// </summary>
/// <param name="Name">Its host name.</param>
/// <param name="LastSeen">When its newest backup, or a part of it, arrived.</param>
/// <param name="IsClone">Whether it has the id of this machine.</param>
internal sealed record OtherMachine(string Name, DateTimeOffset LastSeen, bool IsClone = false)
{
    /// <param name="dataset">The dataset.</param>
    /// <param name="own">This machine.</param>
    /// <param name="backups">The client's backups.</param>
    /// <param name="uploads">Its open uploads.</param>
    /// <param name="local">The dataset's snapshots and bookmarks.</param>
    /// <returns>Null if the dataset's newest backup or open upload that says where it comes from is of this
    /// machine.</returns>
    public static OtherMachine? Find(
        DatasetName dataset,
        Machine own,
        IEnumerable<SnapshotInfo> backups,
        IEnumerable<UploadInfo> uploads,
        IReadOnlyCollection<LocalSnapshot> local
    )
    {
        var ofBackups = backups
            .Where(backup => backup.DatasetName == dataset.Value)
            .Select(backup =>
                (backup.MachineId, backup.MachineName, At: backup.ReceivedAt, Guid: (SnapshotGuid?)backup.SnapshotGuid)
            );
        var ofUploads = uploads
            .Where(upload => upload.DatasetName == dataset.Value)
            .Select(upload => (upload.MachineId, upload.MachineName, At: upload.TouchedAt, Guid: upload.SnapshotGuid));
        var newest = ofBackups
            .Concat(ofUploads)
            .Where(seen => seen is { MachineId: not null, MachineName: not null })
            .OrderByDescending(seen => seen.At)
            .FirstOrDefault();
        return Made(own, newest.MachineId, newest.MachineName, newest.Guid, local)
            ? null
            : new OtherMachine(newest.MachineName!, newest.At, newest.MachineId == own.Id);
    }

    /// <summary>
    /// Whether a machine made what the server has. A clone has its original's /etc/machine-id too, mostly with another
    /// host name; a machine that was only renamed has the snapshots that it sent under its former name, or their
    /// bookmarks.
    /// </summary>
    public static bool Made(
        Machine own,
        string? machineId,
        string? machineName,
        SnapshotGuid? guid,
        IReadOnlyCollection<LocalSnapshot> local
    )
    {
        if (machineId is null)
            return true; // its client did not say
        if (machineId != own.Id)
            return false;
        if (machineName is null || machineName == own.Name || guid is null)
            return true;
        return local.Any(snapshot => snapshot.Guid == guid);
    }

    public string Describe(DatasetName dataset, string clientId) =>
        $"The backups of {dataset} under the client id {clientId} come from another machine, {Name}, last seen "
        + Timestamps.ToSecond(LastSeen)
        + (IsClone ? ", which has the /etc/machine-id of this one: one is a clone of the other." : ".");

    public string Remedy => IsClone ? MachineInfo.RemedyForClone(Name) : MachineInfo.RemedyFor(Name);

    public OperationException ToFailure(DatasetName dataset, string clientId) =>
        new(ExitCode.Conflict, Describe(dataset, clientId), Remedy);
}
