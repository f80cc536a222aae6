using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Asks the store for the base of an incremental. The catalogue lists it; if the store lost it, the chain has a hole,
/// and every further incremental would be stored for nothing.
/// </summary>
internal sealed class StoredBase(BackupStore store, BackupCatalogue catalogue)
{
    /// <param name="fits">Which of the backups that hold the base will do.</param>
    /// <exception cref="RequestException">409: what the catalogue lists of the base is not in the store. That it lists
    /// none is checked elsewhere.</exception>
    public async Task DemandAsync(
        string clientId,
        SnapshotGuid from,
        Func<SnapshotInfo, bool> fits,
        CancellationToken cancellationToken
    )
    {
        var bases = catalogue.FindBases(clientId, from, StorageTypes.Objects).Where(fits).ToList();
        string? lost = null;
        foreach (var known in bases)
        {
            lost = await FindLossAsync(known.StorageKey, cancellationToken);
            if (lost is null)
                return;
        }

        if (lost is not null)
            throw RequestException.Conflict(
                "base_missing",
                $"The base of the incremental, the snapshot with GUID {from}, is listed as {bases[^1].SnapshotId}, but "
                    + $"its {lost} is not in the server's store.",
                "Nothing was stored. Bring it back from a copy of the store ('zfs-server catalogue check' names "
                    + "everything that is missing), or send a full backup: zfs-client backup-full."
            );
    }

    private async Task<string?> FindLossAsync(string key, CancellationToken cancellationToken)
    {
        foreach (var name in (string[])[StorageKey.ManifestOf(key), key])
        {
            if (await store.Objects.FindAsync(name, cancellationToken) is null)
                return name == key ? $"object {name}" : $"manifest {name}";
        }

        return null;
    }
}
