using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>
/// Marks the backups of a client on which no incremental can be based. ZFS receives only on the newest snapshot of a
/// dataset, and an incremental is stored where its base is, so a backup in the other storage cannot be its base.
/// </summary>
internal sealed partial class PossibleBases(ClientDatasets parents, ZfsHost zfs, ILogger<PossibleBases> logger)
{
    /// <param name="storageType">Where the incremental is to be stored.</param>
    public async Task<IReadOnlyList<SnapshotInfo>> MarkAsync(
        ClientEntry client,
        IReadOnlyList<SnapshotInfo> backups,
        string storageType,
        CancellationToken cancellationToken
    )
    {
        IReadOnlySet<string>? newest = null;
        if (backups.Any(backup => backup.IsLocal))
            newest = await FindNewestAsync(client, cancellationToken);
        return Mark(backups, storageType, newest);
    }

    /// <param name="storageType">Where the incremental is to be stored.</param>
    /// <param name="newest">Names of the snapshots that are the newest of their datasets; null if ZFS does not
    /// answer.</param>
    public static IReadOnlyList<SnapshotInfo> Mark(
        IReadOnlyList<SnapshotInfo> backups,
        string storageType,
        IReadOnlySet<string>? newest
    ) =>
        [
            .. backups.Select(backup =>
                backup.StorageType != storageType || (backup.IsLocal && newest?.Contains(backup.StorageKey) == false)
                    ? backup with
                    {
                        CanBeBase = false,
                    }
                    : backup
            ),
        ];

    private async Task<IReadOnlySet<string>?> FindNewestAsync(ClientEntry client, CancellationToken cancellationToken)
    {
        try
        {
            var chains = await ReceivedDatasets.ListAsync(zfs, parents.Of(client), client.ClientId, cancellationToken);
            return chains
                .Select(chain => chain.Newest?.Name.ToString())
                .OfType<string>()
                .ToHashSet(StringComparer.Ordinal);
        }
        catch (OperationException e)
        {
            LogNoAnswer(e, client.ClientId); // backups in the object store can still be listed
            return null;
        }
    }

    [LoggerMessage(LogLevel.Error, "ZFS cannot list the snapshots of {ClientId}")]
    private partial void LogNoAnswer(Exception e, string clientId);
}
