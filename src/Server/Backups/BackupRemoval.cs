using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Jobs;

namespace ZfsSnapshotManager.Server.Backups;

/// <summary>
/// Removes backups from the list, or marks them to be removed later. Manifest and objects, or the snapshot, are deleted
/// by a <see cref="DeletionJob"/>: no request waits for the store. All of it works on a full disk, too.
/// </summary>
internal sealed class BackupRemoval(
    BackupCatalogue backups,
    DeletionCatalogue deletions,
    ReadLeases leases,
    CatalogueReserve reserve,
    JobCatalogue jobs,
    JobSignals signals,
    TimeProvider time
)
{
    /// <param name="backup">As it was planned.</param>
    /// <param name="chains">Those of the plan.</param>
    /// <param name="due">It must stay unless it has expired by then; null: whether it has does not matter.</param>
    /// <returns>False if it must stay; nothing was changed.</returns>
    public bool Remove(string clientId, SnapshotInfo backup, BackupChains chains, DateTimeOffset? due = null)
    {
        if (IsRead(clientId, backup, chains))
            return false; // since the plan was made
        var deleted = Describe(ServerEvents.BackupDeleted, clientId, backup, ("stored_bytes", $"{backup.SizeBytes}"));
        if (!reserve.Use(() => backups.Remove(clientId, backup, deleted, due)))
            return false;
        signals.Requested.Signal();
        return true;
    }

    /// <summary>Whether a backup, or one that it is based on, is being read now.</summary>
    public bool IsRead(string clientId, SnapshotInfo backup, BackupChains chains) =>
        leases.FindObstacles(clientId, [backup], chains).Count > 0;

    /// <summary>Marks a backup to be removed when it expires.</summary>
    /// <returns>False if it must stay.</returns>
    public bool Mark(string clientId, SnapshotInfo expiring)
    {
        var marked = Describe(ServerEvents.BackupExpiring, clientId, expiring);
        return reserve.Use(() => backups.SetExpiry(clientId, expiring.SnapshotId, expiring.ExpiresAt, marked));
    }

    /// <summary>Takes the mark of a backup away.</summary>
    /// <returns>False if it is no longer listed.</returns>
    public bool Keep(string clientId, SnapshotInfo backup) =>
        reserve.Use(() => backups.SetExpiry(clientId, backup.SnapshotId, null));

    /// <summary>Waits until a condition holds that deletions of a client make true.</summary>
    /// <returns>False if it does not hold: nothing is left to be deleted, it fails, or it takes too long.</returns>
    public async Task<bool> WaitAsync(string clientId, Func<bool> isMet, TimeSpan patience)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            var progressed = signals.Progressed.Next;
            if (isMet())
                return true;
            var left = patience - time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero || !IsProgressing(clientId))
                return false;
            try
            {
                await progressed.WaitAsync(left, time);
            }
            catch (TimeoutException)
            {
                return isMet();
            }
        }
    }

    /// <summary>Whether nothing is left of a backup that was removed.</summary>
    public bool IsDeleted(SnapshotInfo backup) => !deletions.Contains(backup.StorageKey);

    /// <summary>
    /// Whether snapshots of a client are still to be destroyed in ZFS, which alone knows how much that frees.
    /// </summary>
    public bool HasPendingLocal(string clientId) => deletions.HasAny(clientId, local: true);

    /// <summary>Bytes of a client that are still to be deleted, and why they cannot be, if so.</summary>
    /// <remarks>
    /// What a job without a failure has left is under a retention: it makes no room for days, so others must.
    /// </remarks>
    public (long Bytes, string? Fault) FindPending(string clientId) =>
        jobs.Find(JobKinds.Delete, clientId) switch
        {
            { Attempts: 0, Error: not null } => (0, null),
            var job => (deletions.CountBytes(clientId), job?.Error),
        };

    private bool IsProgressing(string clientId) =>
        deletions.HasAny(clientId)
        && jobs.Find(JobKinds.Delete, clientId) is { Error: null, State: JobStates.Waiting or JobStates.Running };

    private ServerEvent Describe(
        string name,
        string clientId,
        SnapshotInfo backup,
        params IEnumerable<(string Name, string Value)> details
    ) =>
        ServerEvent.Of(name, EventActor.Server, time.GetUtcNow(), details) with
        {
            ClientId = clientId,
            SnapshotId = backup.SnapshotId,
        };
}
