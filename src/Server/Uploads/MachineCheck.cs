using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Refuses a second machine that backs up a dataset of the same name under one client id, such as a cloned machine:
/// each would end the other's uploads, and rotation would count both as one dataset.
/// </summary>
internal sealed partial class MachineCheck(MachineCatalogue machines, ILogger<MachineCheck> logger)
{
    /// <param name="wanted">What was announced. Without a machine, as from curl, it is accepted.</param>
    /// <param name="takesOver">Whether its machine replaces the other one.</param>
    /// <exception cref="RequestException">The dataset's newest backup or open upload comes from another
    /// machine.</exception>
    public void Run(UploadRecord wanted, bool takesOver)
    {
        if (wanted.MachineId is not { } id || wanted.MachineName is not { } name)
            return;
        var dataset = wanted.DatasetName.Value;
        if (machines.FindNewest(wanted.ClientId, dataset) is not { } newest || newest.MachineId == id)
            return;
        if (takesOver)
        {
            machines.EndRefusal(wanted.ClientId, id);
            LogTakenOver(name, dataset, wanted.ClientId, newest.MachineName);
            return;
        }

        machines.AddRefused(wanted.ClientId, id, name, dataset);
        LogRefused(dataset, wanted.ClientId, name, newest.MachineName, Timestamps.ToSecond(newest.LastSeen));
        throw RequestException.Conflict(
            "other_machine",
            $"The backups of {dataset} of client {wanted.ClientId} come from another machine, {newest.MachineName}, "
                + $"last seen {Timestamps.ToSecond(newest.LastSeen)}; this one is {name}.",
            MachineInfo.RemedyFor(newest.MachineName)
        );
    }

    [LoggerMessage(
        LogLevel.Warning,
        "{Dataset} of {ClientId} is not accepted from the machine {Machine}: its backups come from {Other}, last seen "
            + "{LastSeen}. Two machines use one client id"
    )]
    private partial void LogRefused(string dataset, string clientId, string machine, string other, string lastSeen);

    [LoggerMessage(LogLevel.Information, "The machine {Machine} takes over {Dataset} of {ClientId} from {Other}")]
    private partial void LogTakenOver(string machine, string dataset, string clientId, string other);
}
