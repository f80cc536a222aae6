using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>
/// Says of a client's backups which of them no incremental can build upon. ZFS receives only upon the newest snapshot
/// of a dataset; and an incremental lies where its base does, so that what is in the other storage than the one that it
/// goes to is none either.
/// </summary>
internal sealed partial class PossibleBases(ClientDatasets parents, ZfsHost zfs, ILogger<PossibleBases> logger)
{
    /// <param name="storageType">Where the incremental is to go.</param>
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

    /// <param name="storageType">Where the incremental is to go.</param>
    /// <param name="newest">Names of the snapshots that are the newest of their datasets; null where ZFS does not
    /// say.</param>
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
            LogNoAnswer(e, client.ClientId); // what is in the object store can be listed all the same
            return null;
        }
    }

    [LoggerMessage(LogLevel.Error, "ZFS does not say what {ClientId} has")]
    private partial void LogNoAnswer(Exception e, string clientId);
}
