using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Rotation;

/// <summary>
/// Plans what rotation keeps of a client's backups, as the catalogue lists them now. Changes nothing.
/// </summary>
internal sealed class RotationPlanner(
    BackupCatalogue backups,
    UploadCatalogue uploads,
    DeletionBlockers blockers,
    ReadLeases leases,
    TimeProvider time
)
{
    /// <param name="policy">What stays; null: all but the newest chain of each dataset may be deleted, for
    /// space.</param>
    /// <param name="machineId">The machine that asks; null if it did not say, or the server itself does.</param>
    public async Task<RotationPlan> PlanAsync(ClientEntry client, RotationPolicy? policy, string? machineId = null)
    {
        var all = backups.List(client.ClientId);
        var chains = new BackupChains(all);
        var inZfs = await blockers.FindAsync(client, all);
        var obstacles = leases.FindObstacles(client.ClientId, all, chains);
        if (inZfs.Count > 0)
            obstacles = inZfs
                .Concat(obstacles)
                .DistinctBy(obstacle => obstacle.Key, StringComparer.Ordinal)
                .ToDictionary(StringComparer.Ordinal);
        var bases = OpenBases(client.ClientId);
        var now = time.GetUtcNow();
        var decisions = policy is null
            ? BackupRotation.PlanForSpace(all, bases, now, chains, obstacles, machineId)
            : BackupRotation.Plan(all, policy, bases, now, chains, obstacles, machineId);
        return new RotationPlan(decisions, chains, obstacles);
    }

    private HashSet<SnapshotGuid> OpenBases(string clientId) =>
        [
            .. uploads
                .List(clientId)
                .SelectMany(upload => new[] { upload.FromGuid, upload.BaseGuid })
                .OfType<SnapshotGuid>(),
        ];
}

/// <param name="Decisions">The decision on each backup.</param>
/// <param name="Chains">The chains of all of them.</param>
/// <param name="Obstacles">Why some are not deleted now, by snapshot id: they are being read, or ZFS does not
/// answer.</param>
internal sealed record RotationPlan(
    IReadOnlyList<RotationDecision<SnapshotInfo>> Decisions,
    BackupChains Chains,
    IReadOnlyDictionary<string, string> Obstacles
)
{
    /// <summary>
    /// What stays for good. Not what only another machine may rotate: this one's plan does not say whether it would
    /// stay. Nor what stays for now only: that expires later.
    /// </summary>
    public IEnumerable<SnapshotInfo> Kept =>
        Decisions
            .Where(decision => decision is { Keep: true, IsOthers: false })
            .Select(decision => decision.Item)
            .Where(backup => !StaysForNow.Contains(backup.SnapshotId));

    /// <summary>What may be deleted, in the order in which it is.</summary>
    public IReadOnlyList<SnapshotInfo> Deletable { get; } =
        DeletionOrder.Of(Decisions.Where(decision => !decision.Keep).Select(decision => decision.Item), Chains);

    /// <summary>What has an obstacle, and what that is based on.</summary>
    private HashSet<string> StaysForNow { get; } =
        Decisions
            .Select(decision => decision.Item)
            .Where(backup => Obstacles.ContainsKey(backup.SnapshotId))
            .SelectMany(backup => BasesOf(backup, Chains).Prepend(backup))
            .Select(backup => backup.SnapshotId)
            .ToHashSet(StringComparer.Ordinal);

    private static IEnumerable<SnapshotInfo> BasesOf(SnapshotInfo backup, BackupChains chains)
    {
        for (var below = chains.BaseOf(backup); below is not null; below = chains.BaseOf(below))
            yield return below;
    }
}
