using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Refuses a second machine that backs up a dataset of the same name under one client id, such as a cloned machine:
/// each would end the other's uploads, and rotation would count both as one dataset.
/// </summary>
internal sealed partial class MachineCheck(
    MachineCatalogue machines,
    ServerSettings settings,
    ILogger<MachineCheck> logger
)
{
    /// <param name="wanted">What was announced. Without a machine, as from curl, it is accepted.</param>
    /// <exception cref="RequestException">The dataset's newest backup or open upload comes from another machine, or a
    /// clone is sending it.</exception>
    public void Run(UploadRecord wanted)
    {
        if (wanted.MachineId is not { } id || wanted.MachineName is not { } name)
            return;
        var dataset = wanted.DatasetName.Value;
        var newest = machines.FindNewest(wanted.ClientId, dataset);
        var other =
            newest is null || newest.MachineId == id ? machines.FindClone(wanted, settings.UploadIdleTimeout) : newest;
        if (wanted.TakesOver)
        {
            machines.EndRefusal(wanted.ClientId, id);
            if ((other ?? newest) is { } former)
                LogTakenOver(name, dataset, wanted.ClientId, former.MachineName);
            return;
        }

        if (other is not null)
            throw Refuse(wanted, id, name, other);
        if (newest is not null && newest.MachineName != name)
            LogRenamed(dataset, wanted.ClientId, newest.MachineName, name);
    }

    private RequestException Refuse(UploadRecord wanted, string id, string name, MachineInfo other)
    {
        var dataset = wanted.DatasetName.Value;
        machines.AddRefused(wanted.ClientId, id, name, dataset);
        LogRefused(dataset, wanted.ClientId, name, other.MachineName, Timestamps.ToSecond(other.LastSeen));
        var isClone = other.MachineId == id;
        return RequestException.Conflict(
            "other_machine",
            $"The backups of {dataset} of client {wanted.ClientId} come from another machine, {other.MachineName}, "
                + $"last seen {Timestamps.ToSecond(other.LastSeen)}; this one is {name}"
                + (isClone ? " and has the same /etc/machine-id." : "."),
            isClone ? MachineInfo.RemedyForClone(other.MachineName) : MachineInfo.RemedyFor(other.MachineName)
        );
    }

    [LoggerMessage(
        LogLevel.Warning,
        "{Dataset} of {ClientId} is not accepted from the machine {Machine}: its backups come from {Other}, last seen "
            + "{LastSeen}. Two machines use one client id"
    )]
    private partial void LogRefused(string dataset, string clientId, string machine, string other, string lastSeen);

    [LoggerMessage(
        LogLevel.Warning,
        "The machine that backs up {Dataset} of {ClientId} was {Before} and is now {Now}. If both run, one is a clone "
            + "with the other's /etc/machine-id"
    )]
    private partial void LogRenamed(string dataset, string clientId, string before, string now);

    [LoggerMessage(LogLevel.Information, "The machine {Machine} takes over {Dataset} of {ClientId} from {Other}")]
    private partial void LogTakenOver(string machine, string dataset, string clientId, string other);
}
