using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;

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
    CatalogueReserve reserve,
    ClockCheck clock,
    TimeProvider time,
    ILogger<ExpiredBackups> logger
)
{
    /// <exception cref="Core.OperationException">The clock may be wrong; nothing was deleted.</exception>
    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        await clock.DemandAsync(cancellationToken);
        var now = time.GetUtcNow();
        foreach (var id in backups.ClientsWithExpired(now))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (FindEnabled(id) is { } client)
                await DeleteAsync(client, now);
            else
                LogLockedOut(id);
        }
    }

    private ClientEntry? FindEnabled(string id) =>
        clients.Current().FirstOrDefault(client => client.ClientId == id && client.Enabled);

    private async Task DeleteAsync(ClientEntry client, DateTimeOffset now)
    {
        var plan = await planner.PlanAsync(client, client.RotationPolicy);
        foreach (var kept in plan.Kept.Where(IsExpired))
            Keep(kept);
        foreach (var backup in plan.Deletable.Where(IsExpired))
        {
            // Each deletion may take long: the client may have been locked out meanwhile.
            if (FindEnabled(client.ClientId) is null)
            {
                LogLockedOut(client.ClientId);
                return;
            }

            // A backup that a newer one depends on by now, or that does not expire any more, is not to be deleted.
            if (!await removal.RunAsync(client.ClientId, backup, now))
                Keep(backup);
        }

        bool IsExpired(SnapshotInfo backup) => backup.ExpiresAt <= now;

        void Keep(SnapshotInfo backup)
        {
            // What cannot be noted on a full disk must not keep the others from being deleted.
            if (reserve.Use(() => backups.SetExpiry(client.ClientId, backup.SnapshotId, null)))
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
