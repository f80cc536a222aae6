using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Jobs;

namespace ZfsSnapshotManager.Server.Rotation;

/// <summary>
/// Deletes rotated backups once their delay has passed. Rotation is planned again first: what it would keep by now
/// stays. Backups of clients that are disabled or no longer listed do not expire: an administrator locked them out, and
/// may need what an attacker rotated.
/// </summary>
internal sealed partial class ExpiredBackups(
    ClientRegistry clients,
    BackupCatalogue backups,
    RotationPlanner planner,
    BackupRemoval removal,
    StoreFence fence,
    ClockCheck clock,
    TimeProvider time,
    ILogger<ExpiredBackups> logger
) : IJobHandler
{
    public string Kind => JobKinds.Expire;

    public TimeSpan? Interval => TimeSpan.FromHours(1);

    /// <exception cref="OperationException">The clock may be wrong, and nothing was deleted; or the store is another
    /// server's, and only snapshots in ZFS were.</exception>
    public async Task RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        await clock.DemandAsync(cancellationToken);
        var now = time.GetUtcNow();
        OperationException? fault = null;
        foreach (var id in backups.ClientsWithExpired(now))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (FindEnabled(id) is not { } client)
            {
                LogLockedOut(id);
                continue;
            }

            try
            {
                await DeleteAsync(client, now, cancellationToken);
            }
            catch (OperationException e)
            {
                fault ??= e; // other clients may have theirs elsewhere
            }
        }

        if (fault is not null)
            throw fault;
    }

    private ClientEntry? FindEnabled(string id) =>
        clients.Current().FirstOrDefault(client => client.ClientId == id && client.Enabled);

    private async Task DeleteAsync(ClientEntry client, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var plan = await planner.PlanAsync(client, client.RotationPolicy);
        foreach (var kept in plan.Kept.Where(IsExpired))
            Keep(kept);
        foreach (var backup in plan.Deletable.Where(IsExpired).OrderBy(backup => !backup.IsLocal))
        {
            if (!backup.IsLocal)
                await fence.DemandAsync(cancellationToken); // another server's store is not this one's to delete from
            // That may take long: the client may have been locked out meanwhile.
            if (FindEnabled(client.ClientId) is null)
            {
                LogLockedOut(client.ClientId);
                return;
            }

            if (removal.IsRead(client.ClientId, backup, plan.Chains))
                continue; // since the plan was made

            // A backup that a newer one depends on by now, or that does not expire any more, is not to be deleted.
            if (!removal.Remove(client.ClientId, backup, plan.Chains, now))
                Keep(backup);
        }

        bool IsExpired(SnapshotInfo backup) => backup.ExpiresAt <= now;

        void Keep(SnapshotInfo backup)
        {
            if (removal.Keep(client.ClientId, backup))
                LogKept(backup.SnapshotId, client.ClientId);
        }
    }

    [LoggerMessage(
        LogLevel.Information,
        "{SnapshotId} of {ClientId} was to be deleted now, but rotation would keep it by now; it stays"
    )]
    private partial void LogKept(string snapshotId, string clientId);

    [LoggerMessage(
        LogLevel.Warning,
        "Rotated backups of {ClientId} are not deleted while the client is disabled or not listed"
    )]
    private partial void LogLockedOut(string clientId);
}
