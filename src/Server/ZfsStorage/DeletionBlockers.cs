using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>Finds the snapshots of a client that ZFS would refuse to destroy, for the rotation planner.</summary>
internal sealed partial class DeletionBlockers(ClientDatasets datasets, ZfsHost zfs, ILogger<DeletionBlockers> logger)
{
    /// <returns>Reasons by snapshot id. If ZFS does not answer, no backup in ZFS may be deleted.</returns>
    public async Task<IReadOnlyDictionary<string, string>> FindAsync(
        ClientEntry client,
        IReadOnlyCollection<SnapshotInfo> backups
    )
    {
        var local = backups.Where(backup => backup.IsLocal).ToList();
        if (local.Count == 0)
            return new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            var chains = await ReceivedDatasets.ListAsync(
                zfs,
                datasets.Of(client),
                client.ClientId,
                CancellationToken.None
            );
            var obstacles = chains
                .SelectMany(chain => chain.Snapshots)
                .Where(snapshot => snapshot.Obstacle is not null)
                .ToDictionary(
                    snapshot => snapshot.Name.ToString(),
                    snapshot => snapshot.Obstacle!,
                    StringComparer.Ordinal
                );
            return local
                .Where(backup => obstacles.ContainsKey(backup.StorageKey))
                .ToDictionary(
                    backup => backup.SnapshotId,
                    backup => obstacles[backup.StorageKey],
                    StringComparer.Ordinal
                );
        }
        catch (OperationException e)
        {
            LogNoAnswer(e, client.ClientId);
            return local.ToDictionary(
                backup => backup.SnapshotId,
                _ => "the server's ZFS does not answer",
                StringComparer.Ordinal
            );
        }
    }

    [LoggerMessage(LogLevel.Error, "ZFS cannot list the snapshots of {ClientId}; rotation keeps all of them")]
    private partial void LogNoAnswer(Exception e, string clientId);
}
