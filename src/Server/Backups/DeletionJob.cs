using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Backends;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Jobs;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backups;

/// <summary>
/// Deletes what a client's list no longer has: manifest and objects, or the snapshot. What remains after a crash, or
/// while the store is unreachable or another server's, is deleted by a later run.
/// </summary>
internal sealed partial class DeletionJob(
    BackupBackends backends,
    DeletionCatalogue deletions,
    StoreFence fence,
    CatalogueReserve reserve,
    JobSignals signals,
    ILogger<DeletionJob> logger
) : IJobHandler
{
    public string Kind => JobKinds.Delete;

    public TimeSpan? Interval => null;

    /// <remarks>
    /// Snapshots first: they need no store. A failure that is one snapshot's or object's, or the catalogue's, does not
    /// stop the others; one of the whole store would only be repeated for each object.
    /// </remarks>
    public async Task RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        var pending = deletions.List(run.Subject);
        Exception? fault = null;
        var deleted = 0;
        var isStoreAsked = false;
        foreach (var deletion in pending.OrderBy(deletion => deletion.LocalGuid is null))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (deletion.LocalGuid is null && !isStoreAsked)
            {
                isStoreAsked = true;
                if (await FindStoreFaultAsync(cancellationToken) is { } refusal)
                {
                    fault ??= refusal;
                    break; // objects come last
                }
            }

            try
            {
                await backends.Of(deletion).DeleteAsync(deletion, cancellationToken);
                reserve.Use(() => deletions.End(deletion.StorageKey));
            }
            catch (StorageException e) when (e.Fault == StorageFault.Locked)
            {
                run.Postponed ??= e.Message; // for days perhaps, and nobody can do anything about it
                LogLocked(deletion.StorageKey, e.Message);
                continue;
            }
            catch (Exception e) when (e is OperationException or SqliteException)
            {
                // A snapshot that is being sent stays until then. What a full disk could not note is deleted again.
                fault ??= e;
                if (e is StorageException { Fault: StorageFault.Unavailable or StorageFault.Full })
                    break;
                continue;
            }

            deleted++;
            run.Progress = $"{deleted} of {pending.Count} deleted";
            signals.Progressed.Signal();
        }

        if (fault is not null)
            throw fault;
    }

    /// <returns>Why nothing at all can be deleted from the store; null: nothing is known.</returns>
    private async Task<StorageException?> FindStoreFaultAsync(CancellationToken cancellationToken)
    {
        try
        {
            await fence.DemandAsync(cancellationToken);
            return null;
        }
        catch (StorageException e)
        {
            return e;
        }
    }

    [LoggerMessage(LogLevel.Debug, "{StorageKey} stays until its retention ends: {Reason}")]
    private partial void LogLocked(string storageKey, string reason);
}
