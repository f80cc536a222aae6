using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
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
    BackupCatalogue backups,
    UploadCatalogue uploads,
    BackupRemoval removal,
    DeletionBlockers blockers,
    ClientDatasets datasets,
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
        var all = backups.List(client.ClientId);
        var bases = new BackupChains(all);
        var plan = BackupRotation.Plan(
            all,
            policy,
            OpenBases(client),
            time.GetUtcNow(),
            bases,
            await blockers.FindAsync(client, all),
            machineId
        );
        foreach (var kept in plan.Where(decision => !dryRun && decision.Keep && decision.Item.ExpiresAt is not null))
            backups.SetExpiry(client.ClientId, kept.Item.SnapshotId, null);
        return await RemoveAsync(client, plan, bases, long.MaxValue, dryRun);
    }

    /// <summary>
    /// Makes room. A server-managed policy decides what must stay. Without one, all backups except the newest chain of
    /// each dataset may be deleted, the oldest first.
    /// </summary>
    /// <param name="bytes">Stored bytes to free.</param>
    /// <param name="dryRun">Nothing is changed; the result contains what would be.</param>
    /// <param name="machineId">The machine that asks; null if it did not say, or the server itself does.</param>
    public async Task<RotationResult> MakeRoomAsync(
        ClientEntry client,
        long bytes,
        bool dryRun = false,
        string? machineId = null
    )
    {
        if (client.RotationPolicy is { } policy)
            return await ApplyAsync(client, policy, dryRun, machineId);
        var all = backups.List(client.ClientId);
        var bases = new BackupChains(all);
        var plan = BackupRotation.PlanForSpace(
            all,
            OpenBases(client),
            time.GetUtcNow(),
            bases,
            await blockers.FindAsync(client, all),
            machineId
        );
        return await RemoveAsync(client, plan, bases, bytes, dryRun);
    }

    /// <summary>Deletes marked backups that have expired.</summary>
    public async Task DeleteExpiredAsync()
    {
        var now = time.GetUtcNow();
        foreach (
            var client in backups.ListAll(clientId: null).GroupBy(backup => backup.ClientId, backup => backup.Info)
        )
        {
            var expired = DeletionOrder.Of(client.Where(backup => backup.ExpiresAt <= now), new BackupChains(client));
            foreach (var backup in expired)
            {
                // A backup that a newer one depends on by now is no longer to be deleted.
                if (!await removal.RunAsync(client.Key, backup))
                    backups.SetExpiry(client.Key, backup.SnapshotId, null);
            }
        }
    }

    private async Task<RotationResult> RemoveAsync(
        ClientEntry client,
        IReadOnlyList<RotationDecision<SnapshotInfo>> plan,
        BackupChains bases,
        long wanted,
        bool dryRun
    )
    {
        List<SnapshotInfo> deleted = [];
        List<SnapshotInfo> expiring = [];
        var freed = 0L;
        foreach (
            var backup in DeletionOrder.Of(
                plan.Where(decision => !decision.Keep).Select(decision => decision.Item),
                bases
            )
        )
        {
            if (freed >= wanted)
                break;
            if (settings.DeleteDelay > TimeSpan.Zero && !(backup.ExpiresAt <= time.GetUtcNow()))
            {
                var marked = backup with { ExpiresAt = backup.ExpiresAt ?? time.GetUtcNow() + settings.DeleteDelay };
                if (!dryRun && marked != backup && !TryMark(client, marked))
                    continue;
                expiring.Add(marked);
            }
            else
            {
                var before = datasets.LastUsed(client.ClientId);
                if (!dryRun && !await removal.RunAsync(client.ClientId, backup))
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

        return new RotationResult(plan, deleted, expiring);
    }

    private bool TryMark(ClientEntry client, SnapshotInfo marked)
    {
        var expiring = ServerEvent.Of(ServerEvents.BackupExpiring, EventActor.Server, time.GetUtcNow()) with
        {
            ClientId = client.ClientId,
            SnapshotId = marked.SnapshotId,
        };
        return backups.SetExpiry(client.ClientId, marked.SnapshotId, marked.ExpiresAt, expiring);
    }

    private HashSet<SnapshotGuid> OpenBases(ClientEntry client) =>
        [
            .. uploads
                .List(client.ClientId)
                .SelectMany(upload => new[] { upload.FromGuid, upload.BaseGuid })
                .OfType<SnapshotGuid>(),
        ];
}

/// <param name="Plan">The decision on each backup.</param>
/// <param name="Deleted">The deleted backups.</param>
/// <param name="Expiring">The backups to be deleted later.</param>
internal sealed record RotationResult(
    IReadOnlyList<RotationDecision<SnapshotInfo>> Plan,
    IReadOnlyList<SnapshotInfo> Deleted,
    IReadOnlyList<SnapshotInfo> Expiring
);
