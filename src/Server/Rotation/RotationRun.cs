using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Rotation;

/// <summary>
/// Rotates a client's backups: deletes what the plan does not keep, or marks it if deletions are delayed.
/// </summary>
internal sealed class RotationRun(
    RotationPlanner planner,
    BackupCatalogue backups,
    BackupRemoval removal,
    CatalogueReserve reserve,
    ClientDatasets datasets,
    ClockCheck clock,
    ServerSettings settings,
    TimeProvider time
)
{
    /// <summary>Rotates by a policy.</summary>
    /// <param name="dryRun">Nothing is changed; the result contains what would be.</param>
    /// <param name="machineId">The machine that asks; null if it did not say, or the server itself does.</param>
    public async Task<RotationResult> ApplyAsync(
        ClientEntry client,
        RotationPolicy policy,
        bool dryRun,
        string? machineId = null
    )
    {
        var plan = await planner.PlanAsync(client, policy, machineId);
        foreach (var kept in plan.Kept.Where(backup => !dryRun && backup.ExpiresAt is not null))
            reserve.Use(() => backups.SetExpiry(client.ClientId, kept.SnapshotId, null));
        return await RemoveAsync(client, plan, long.MaxValue, settings.DeleteDelay, dryRun);
    }

    /// <summary>
    /// Deletes for a client over its quota, as far as that is possible. A server-managed policy decides what must stay;
    /// without one all backups except the newest chain of each dataset may be deleted, the oldest first.
    /// </summary>
    /// <inheritdoc cref="ApplyAsync"/>
    public async Task<RotationResult> ReduceAsync(ClientEntry client, long bytes, bool dryRun, string? machineId)
    {
        var plan = await planner.PlanAsync(client, client.RotationPolicy, machineId);
        return await RemoveAsync(client, plan, bytes, settings.DeleteDelayForSpace, dryRun);
    }

    /// <summary>Stored bytes that may be deleted to make room.</summary>
    public async Task<long> CountDeletableAsync(ClientEntry client) =>
        (await planner.PlanAsync(client, client.RotationPolicy)).Deletable.Sum(backup => backup.SizeBytes);

    /// <summary>
    /// Makes room for an upload. If what may be deleted is not enough for all of it, nothing is deleted or marked.
    /// </summary>
    /// <param name="now">Stored bytes to free now.</param>
    /// <param name="inAll">Stored bytes that the upload will have freed when it ends, as far as is known.</param>
    /// <returns>Stored bytes that may be deleted, or could have been.</returns>
    public async Task<long> MakeRoomAsync(ClientEntry client, long now, long inAll)
    {
        var plan = await planner.PlanAsync(client, client.RotationPolicy);
        var deletable = plan.Deletable.Sum(backup => backup.SizeBytes);
        var delay = settings.DeleteDelayForSpace;
        if (deletable < inAll)
            return deletable;
        // With a delay all is marked at once that the upload needs, so that it has to wait only once.
        await RemoveAsync(client, plan, delay > TimeSpan.Zero ? inAll : now, delay, dryRun: false);
        return deletable;
    }

    private async Task<RotationResult> RemoveAsync(
        ClientEntry client,
        RotationPlan plan,
        long wanted,
        TimeSpan delay,
        bool dryRun
    )
    {
        List<SnapshotInfo> deleted = [];
        List<SnapshotInfo> expiring = [];
        var freed = 0L;
        var mayExpire = !plan.Deletable.Any(IsExpired) || await IsClockTrustedAsync();
        foreach (var backup in plan.Deletable)
        {
            if (freed >= wanted)
                break;
            if (delay > TimeSpan.Zero && !(mayExpire && IsExpired(backup)))
            {
                // A mark of a clock that was wrong may lie years ahead.
                var latest = DateTimeOffset.FromUnixTimeSeconds((time.GetUtcNow() + delay).ToUnixTimeSeconds());
                var marked = backup.ExpiresAt <= latest ? backup : backup with { ExpiresAt = latest };
                if (!dryRun && marked != backup && !TryMark(client, marked))
                    continue;
                expiring.Add(marked);
            }
            else
            {
                var before = datasets.LastUsed(client.ClientId);
                var due = delay > TimeSpan.Zero ? time.GetUtcNow() : (DateTimeOffset?)null;
                if (!dryRun && !await removal.RunAsync(client.ClientId, backup, due))
                    continue;
                deleted.Add(backup);
                if (backup.IsLocal && !dryRun)
                {
                    // Blocks shared with neighbouring snapshots stay, so only ZFS knows how much was freed.
                    freed += before - await datasets.GetUsedAsync(client, CancellationToken.None);
                    continue;
                }
            }

            freed += backup.SizeBytes;
        }

        return new RotationResult(plan.Decisions, deleted, expiring);

        bool IsExpired(SnapshotInfo backup) => delay > TimeSpan.Zero && backup.ExpiresAt <= time.GetUtcNow();
    }

    /// <summary>What has expired by a clock that may be wrong stays marked.</summary>
    private async Task<bool> IsClockTrustedAsync()
    {
        try
        {
            await clock.DemandAsync(CancellationToken.None);
            return true;
        }
        catch (OperationException)
        {
            return false;
        }
    }

    private bool TryMark(ClientEntry client, SnapshotInfo marked)
    {
        var expiring = ServerEvent.Of(ServerEvents.BackupExpiring, EventActor.Server, time.GetUtcNow()) with
        {
            ClientId = client.ClientId,
            SnapshotId = marked.SnapshotId,
        };
        return reserve.Use(() => backups.SetExpiry(client.ClientId, marked.SnapshotId, marked.ExpiresAt, expiring));
    }
}

/// <param name="Plan">The decision on each backup.</param>
/// <param name="Deleted">The deleted backups.</param>
/// <param name="Expiring">The backups to be deleted later.</param>
internal sealed record RotationResult(
    IReadOnlyList<RotationDecision<SnapshotInfo>> Plan,
    IReadOnlyList<SnapshotInfo> Deleted,
    IReadOnlyList<SnapshotInfo> Expiring
);
