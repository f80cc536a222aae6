using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Rotation;

/// <summary>
/// Rotates a client's backups: deletes what the plan does not keep, or marks it if deletions are delayed.
/// </summary>
internal sealed class RotationRun(
    RotationPlanner planner,
    BackupRemoval removal,
    ClientDatasets datasets,
    ServerSettings settings,
    TimeProvider time
)
{
    /// <summary>How long it waits for a snapshot that ZFS destroys.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

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
            removal.Keep(client.ClientId, kept);
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
        if (deletable + removal.FindPending(client.ClientId).Bytes < inAll)
            return deletable;
        // With a delay all is marked at once that the upload needs, so that it has to wait only once.
        await RemoveAsync(client, plan, delay > TimeSpan.Zero ? inAll : now, delay, dryRun: false);
        return deletable;
    }

    /// <param name="wanted">Stored bytes to free, with those that the store has still to delete: otherwise each attempt
    /// would remove more while it is away.</param>
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
        var freed = removal.FindPending(client.ClientId).Bytes;
        // Nothing goes in the place of a snapshot that ZFS has still to destroy, or cannot.
        var waitsForZfs = wanted < long.MaxValue && !await IsLocalDoneAsync();
        foreach (var backup in plan.Deletable)
        {
            if (freed >= wanted)
                break;
            if (waitsForZfs && backup.IsLocal && delay == TimeSpan.Zero)
                continue;
            if (delay > TimeSpan.Zero) // what has expired is left to the job, which also looks at the clock
            {
                // A mark of a clock that was wrong may lie years ahead.
                var latest = DateTimeOffset.FromUnixTimeSeconds((time.GetUtcNow() + delay).ToUnixTimeSeconds());
                var marked = backup.ExpiresAt <= latest ? backup : backup with { ExpiresAt = latest };
                if (!dryRun && marked != backup && !removal.Mark(client.ClientId, marked))
                    continue;
                expiring.Add(marked);
            }
            else
            {
                var before = datasets.LastUsed(client.ClientId);
                if (!dryRun && !removal.Remove(client.ClientId, backup, plan.Chains))
                    continue;
                deleted.Add(backup);
                if (backup.IsLocal && !dryRun && wanted < long.MaxValue)
                {
                    // Blocks shared with neighbouring snapshots stay, so only ZFS knows how much was freed.
                    if (!await removal.WaitAsync(client.ClientId, () => removal.IsDeleted(backup), Patience))
                        break;
                    freed += before - await datasets.GetUsedAsync(client, CancellationToken.None);
                    continue;
                }
            }

            freed += backup.SizeBytes;
        }

        return new RotationResult(plan.Decisions, deleted, expiring);

        Task<bool> IsLocalDoneAsync() =>
            dryRun || delay > TimeSpan.Zero
                ? Task.FromResult(true)
                : removal.WaitAsync(client.ClientId, () => !removal.HasPendingLocal(client.ClientId), Patience);
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
