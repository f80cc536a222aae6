using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Backends;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backups;

/// <summary>
/// Deletes backups: first from the list, then manifest and objects, or the snapshot. What remains after a crash, or
/// while the store is unreachable, is deleted later.
/// </summary>
internal sealed partial class BackupRemoval(
    BackupBackends backends,
    BackupCatalogue catalogue,
    CatalogueReserve reserve,
    TimeProvider time,
    ILogger<BackupRemoval> logger
)
{
    /// <param name="due">It must stay unless it has expired by then; null: whether it has does not matter.</param>
    /// <returns>False if it must stay; nothing was changed.</returns>
    public async Task<bool> RunAsync(string clientId, SnapshotInfo backup, DateTimeOffset? due = null)
    {
        var deleted = ServerEvent.Of(
            ServerEvents.BackupDeleted,
            EventActor.Server,
            time.GetUtcNow(),
            ("stored_bytes", $"{backup.SizeBytes}")
        ) with
        {
            ClientId = clientId,
            SnapshotId = backup.SnapshotId,
        };
        if (!reserve.Use(() => catalogue.Remove(clientId, backup, deleted, due)))
            return false;
        await TryDeleteAsync(new Deletion(backup.StorageKey, backup.IsLocal ? backup.SnapshotGuid : null));
        return true;
    }

    /// <summary>Finishes deletions at start and every hour.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        foreach (var deletion in catalogue.ListDeletions())
        {
            cancellationToken.ThrowIfCancellationRequested();
            await TryDeleteAsync(deletion);
        }
    }

    /// <summary>Not cancelled when a client disconnects: a deletion that has begun is finished.</summary>
    private async Task TryDeleteAsync(Deletion deletion)
    {
        try
        {
            await backends.Of(deletion).DeleteAsync(deletion, CancellationToken.None);
            reserve.Use(() => catalogue.EndDeletion(deletion.StorageKey));
        }
        catch (StorageException e) when (e.Fault == StorageFault.Locked)
        {
            LogLocked(deletion.StorageKey, e.Message); // for days perhaps
        }
        catch (Exception e) when (e is OperationException or SqliteException)
        {
            // Of the store, or of ZFS: a snapshot that is being sent stays until then. Or the catalogue's disk is full:
            // what is deleted already is deleted again.
            LogLater(e, deletion.StorageKey);
        }
    }

    [LoggerMessage(LogLevel.Debug, "{StorageKey} stays until its retention ends: {Reason}")]
    private partial void LogLocked(string storageKey, string reason);

    [LoggerMessage(
        LogLevel.Warning,
        "{StorageKey} is no longer listed, but cannot be deleted now; this is retried every hour"
    )]
    private partial void LogLater(Exception e, string storageKey);
}
