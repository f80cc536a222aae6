using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Rotation;

/// <summary>
/// Rotates the snapshots and bookmarks of datasets on this machine. Asks the server once for all of them.
/// </summary>
internal sealed class LocalRotationRun(ClientSettings settings, ApiClient server, Output output)
{
    private RotationPolicyAnswer? _policy;
    private IReadOnlyList<SnapshotInfo>? _remote;

    /// <param name="dataset">The dataset.</param>
    /// <param name="dryRun">True: nothing is changed.</param>
    public async Task<LocalRotationResult> RunAsync(
        DatasetName dataset,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        var policy = _policy ??= await EffectivePolicy.GetAsync(settings, server, output, cancellationToken);
        var remote = _remote ??= await server.GetSnapshotsAsync(cancellationToken);
        var local = await settings.Zfs.ListSnapshotsAsync(dataset, cancellationToken);
        var plan = LocalRotation.Plan(local, policy.RotationPolicy, Restorable(local, remote), name =>
            SnapshotNaming.IsOwn(name, settings.SnapshotPrefix)
        );
        List<LocalRotationItem> items = [];
        foreach (var decision in plan)
            items.Add(await CarryOutAsync(decision, dryRun, cancellationToken));
        return new LocalRotationResult
        {
            Dataset = dataset.Value,
            DryRun = dryRun,
            RotationPolicy = policy.RotationPolicy,
            ServerManaged = policy.ServerManaged,
            Decisions = items,
        };
    }

    /// <summary>The local snapshots that can be a base: those with a restorable backup.</summary>
    private static HashSet<SnapshotGuid> Restorable(
        IReadOnlyList<LocalSnapshot> local,
        IReadOnlyList<SnapshotInfo> remote
    )
    {
        var chains = new BackupChains(remote);
        return
        [
            .. local
                .Select(snapshot => snapshot.Guid)
                .Intersect(remote.Where(backup => chains.IsComplete(backup)).Select(backup => backup.SnapshotGuid)),
        ];
    }

    private async Task<LocalRotationItem> CarryOutAsync(
        RotationDecision<LocalSnapshot> decision,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        var (snapshot, keep, reason) = decision;
        var action = keep ? "keep" : "destroy";
        if (!keep && !dryRun)
        {
            try
            {
                await (
                    snapshot.Name.IsBookmark
                        ? settings.Zfs.DestroyBookmarkAsync(snapshot.Name, cancellationToken)
                        : settings.Zfs.DestroySnapshotAsync(snapshot.Name, cancellationToken)
                );
                output.Note($"Destroyed {snapshot.Name}: {reason}");
            }
            catch (ZfsException e)
            {
                (action, reason) = ("failed", e.StandardError.Trim()); // continue with the others
            }
        }

        return new LocalRotationItem
        {
            Name = snapshot.Name.ToString(),
            SnapshotType = snapshot.Type,
            CreatedAt = snapshot.Creation,
            Action = action,
            Reason = reason,
        };
    }
}
