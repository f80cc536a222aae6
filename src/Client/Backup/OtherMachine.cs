using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Another machine that backs up a dataset of the same name under the same client id: a cloned machine, for example.
/// Each would take the other one's backups for its own history. The server refuses the second one; a client that looks
/// first sends nothing in vain, and destroys the snapshot that it has just made.
/// </summary>
/// <param name="Name">Its host name.</param>
/// <param name="LastSeen">When its newest backup, or a part of it, arrived.</param>
internal sealed record OtherMachine(string Name, DateTimeOffset LastSeen)
{
    /// <returns>Null if the dataset's newest backup or open upload that says where it comes from is of this
    /// machine.</returns>
    public static OtherMachine? Find(
        DatasetName dataset,
        string machineId,
        IEnumerable<SnapshotInfo> backups,
        IEnumerable<UploadInfo> uploads
    )
    {
        var newest = backups
            .Where(backup =>
                backup is { MachineId: not null, MachineName: not null } && backup.DatasetName == dataset.Value
            )
            .Select(backup => (backup.MachineId, backup.MachineName, At: backup.ReceivedAt))
            .Concat(
                uploads
                    .Where(upload =>
                        upload is { MachineId: not null, MachineName: not null } && upload.DatasetName == dataset.Value
                    )
                    .Select(upload => (upload.MachineId, upload.MachineName, At: upload.TouchedAt))
            )
            .OrderByDescending(machine => machine.At)
            .Select(machine => (machine.MachineId, Seen: new OtherMachine(machine.MachineName!, machine.At)))
            .FirstOrDefault();
        return newest.MachineId is null || newest.MachineId == machineId ? null : newest.Seen;
    }

    public string Describe(DatasetName dataset, string clientId) =>
        $"The backups of {dataset} under the client id {clientId} come from another machine, {Name}, last seen "
        + $"{Timestamps.ToSecond(LastSeen)}.";

    public OperationException ToFailure(DatasetName dataset, string clientId) =>
        new(ExitCode.Conflict, Describe(dataset, clientId), MachineInfo.RemedyFor(Name));
}
