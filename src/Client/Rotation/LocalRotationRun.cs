using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Rotation;

/// <summary>
/// Rotates the snapshots and bookmarks of datasets on this machine. Asks the server once for all of them. If it cannot
/// be asked, snapshots are rotated that were never sent, provided that this client has a policy of its own: the
/// server's may keep more.
/// </summary>
/// <param name="localSnapshots">The snapshots of the datasets.</param>
/// <param name="inventory">The client's backups; those of a run that has just made some are not fetched again.</param>
/// <param name="serverFailure">Why the server need not be asked again; null if nothing is known.</param>
internal sealed class LocalRotationRun(
    ClientSettings settings,
    ApiClient server,
    Output output,
    LocalSnapshots localSnapshots,
    ServerInventory inventory,
    OperationException? serverFailure
)
{
    /// <summary>The next run rotates what this one could not: there is no reason to wait for an hour.</summary>
    private static readonly TimeSpan MostRetryTime = TimeSpan.FromMinutes(1);

    private readonly RetryPolicy _retry = CreateRetry(settings, output);

    private RotationPolicyAnswer? _policy;

    /// <summary>Why the server could not be asked; null if it was.</summary>
    public OperationException? ServerFailure { get; private set; } = serverFailure;

    /// <summary>The retries of what rotation asks of the server.</summary>
    public static RetryPolicy CreateRetry(ClientSettings settings, Output output) =>
        ServerRetry.Create(
            settings.RetryTime < MostRetryTime ? settings.RetryTime : MostRetryTime,
            output,
            TimeProvider.System
        );

    /// <summary>Whether a failure is the server's, whatever is asked of it.</summary>
    public static bool IsOfServer(OperationException e) =>
        e is not ZfsException
        && (e.Kind is FailureKind.Transient or FailureKind.Server || e is ApiException { Kind: FailureKind.User });

    /// <param name="dataset">The dataset.</param>
    /// <param name="dryRun">True: nothing is changed.</param>
    /// <returns>Null if nothing could be decided, because the server could not be asked.</returns>
    public async Task<LocalRotationResult?> RunAsync(
        DatasetName dataset,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        if (!await TryAskAsync(cancellationToken))
        {
            if (settings is { RotationIsSet: false, FollowsServerPolicy: true })
                return null;
            return await RotateAloneAsync(dataset, dryRun, cancellationToken);
        }

        var policy = _policy!;
        var (index, identity) = await inventory.GetIndexAsync(cancellationToken);
        var local = await localSnapshots.GetAsync(dataset, isChanged: false, cancellationToken);
        var remote = index.RelevantTo(dataset, local);
        if (!dryRun && await AdoptBookmarksAsync(local, remote, identity, cancellationToken))
            local = await localSnapshots.GetAsync(dataset, isChanged: true, cancellationToken);
        var plan = Plan(local, remote, policy.RotationPolicy, identity);
        return await CarryOutAsync(dataset, plan, policy, dryRun, cancellationToken);
    }

    private async Task<LocalRotationResult> RotateAloneAsync(
        DatasetName dataset,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        var local = await localSnapshots.GetAsync(dataset, isChanged: false, cancellationToken);
        var plan = LocalRotation.Plan(local, settings.Rotation, onServer: null, owners: []);
        return await CarryOutAsync(dataset, plan, EffectivePolicy.OwnOf(settings), dryRun, cancellationToken);
    }

    private async Task<LocalRotationResult> CarryOutAsync(
        DatasetName dataset,
        IReadOnlyList<RotationDecision<LocalSnapshot>> plan,
        RotationPolicyAnswer policy,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        List<LocalRotationItem> items = [];
        foreach (var decision in await WithoutClonesAsync(dataset, plan, cancellationToken))
            items.Add(await CarryOutAsync(decision, dryRun, cancellationToken));
        return new LocalRotationResult
        {
            Dataset = dataset.Value,
            DryRun = dryRun,
            RotationPolicy = policy.RotationPolicy,
            ServerManaged = policy.ServerManaged,
            KeepManual = settings.KeepManual,
            Decisions = items,
        };
    }

    /// <summary>
    /// After a backup: destroys the older snapshots that <c>backup</c> made, and bookmarks that are no longer needed.
    /// Snapshots of a class wait for <c>rotate</c>.
    /// </summary>
    public async Task TidyAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        var local = await localSnapshots.GetAsync(dataset, isChanged: false, cancellationToken);
        var manual = local.Count(snapshot => snapshot is { Type: SnapshotType.Manual, Upload: not null });
        var bookmarks = local.Count(snapshot => MarkOwner.FindTag(snapshot.Name) is not null);
        if (manual <= settings.KeepManual && bookmarks <= LocalRotation.MostBookmarks)
            return;
        var (index, identity) = await inventory.GetIndexAsync(cancellationToken);
        var plan = Plan(local, index.RelevantTo(dataset, local), settings.Rotation, identity)
            .Where(decision => decision.Item.Name.IsBookmark || decision.Item.Type == SnapshotType.Manual)
            .ToList();
        foreach (var decision in await WithoutClonesAsync(dataset, plan, cancellationToken))
        {
            var item = await CarryOutAsync(decision, dryRun: false, cancellationToken);
            if (item.Action == LocalRotationItem.Failed)
                output.Warn($"{item.Name} could not be destroyed: {item.Reason}");
        }
    }

    /// <summary>Keeps the snapshots that have clones: ZFS would refuse to destroy them.</summary>
    private async Task<IReadOnlyList<RotationDecision<LocalSnapshot>>> WithoutClonesAsync(
        DatasetName dataset,
        IReadOnlyList<RotationDecision<LocalSnapshot>> plan,
        CancellationToken cancellationToken
    )
    {
        if (plan.All(decision => decision.Keep || decision.Item.Name.IsBookmark))
            return plan;
        var clones = await settings.Zfs.ListClonesAsync(dataset, cancellationToken);
        return [.. plan.Select(KeepIfCloned)];

        RotationDecision<LocalSnapshot> KeepIfCloned(RotationDecision<LocalSnapshot> decision)
        {
            if (decision.Keep || !clones.TryGetValue(decision.Item.Name.ToString(), out var its))
                return decision;
            output.Note(
                $"{decision.Item.Name} stays, because {its} is a clone of it; 'zfs promote' or destroy the clone"
            );
            return new(decision.Item, true, $"{its} is a clone of it");
        }
    }

    /// <summary>The result of a dataset that could not be looked at.</summary>
    public async Task<LocalRotationResult> DescribeAsync(
        DatasetFailure failure,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        var policy = await TryAskAsync(cancellationToken) ? _policy! : EffectivePolicy.OwnOf(settings);
        return new LocalRotationResult
        {
            Dataset = failure.Dataset,
            Message = failure.Message,
            Remedy = failure.Remedy,
            ExitCode = failure.ExitCode,
            DryRun = dryRun,
            RotationPolicy = policy.RotationPolicy,
            ServerManaged = policy.ServerManaged,
            KeepManual = settings.KeepManual,
            Decisions = [],
        };
    }

    /// <returns>False if the server cannot be asked.</returns>
    private async Task<bool> TryAskAsync(CancellationToken cancellationToken)
    {
        if (ServerFailure is not null)
            return false;
        try
        {
            _policy ??= await EffectivePolicy.GetAsync(settings, server, output, _retry, cancellationToken);
            await inventory.GetIndexAsync(cancellationToken);
            return true;
        }
        catch (OperationException e) when (IsOfServer(e))
        {
            ServerFailure = e;
            return false;
        }
    }

    /// <summary>
    /// Gives the bookmarks of earlier versions, which have no owner in their names, names that have. Only those that
    /// this server knows are this client's; the others stay as they are, and so do all where ZFS cannot copy bookmarks
    /// (before OpenZFS 2.0).
    /// </summary>
    /// <returns>Whether there were any.</returns>
    private async Task<bool> AdoptBookmarksAsync(
        IReadOnlyList<LocalSnapshot> local,
        IReadOnlyList<SnapshotInfo> remote,
        ClientIdentity identity,
        CancellationToken cancellationToken
    )
    {
        var known = remote.Select(backup => backup.SnapshotGuid).ToHashSet();
        var old = local
            .Where(bookmark =>
                SnapshotNaming.IsOldBookmark(bookmark.Name, settings.SnapshotPrefix) && known.Contains(bookmark.Guid)
            )
            .ToList();
        try
        {
            foreach (var bookmark in old)
            {
                await settings.Zfs.CreateBookmarkAsync(bookmark.Name, bookmark.Guid, identity.Owner, cancellationToken);
                await settings.Zfs.DestroyBookmarkAsync(bookmark.Name, cancellationToken);
            }
        }
        catch (ZfsException e) when (e.End == ZfsEnd.Refused)
        {
            output.Note($"{old[0].Name.Dataset}: bookmarks of an earlier version keep their names: {e.Message}");
        }

        return old.Count > 0;
    }

    private IReadOnlyList<RotationDecision<LocalSnapshot>> Plan(
        IReadOnlyList<LocalSnapshot> local,
        IReadOnlyList<SnapshotInfo> remote,
        RotationPolicy policy,
        ClientIdentity identity
    )
    {
        var chains = new BackupChains(remote);
        List<SnapshotInfo> restorable = [.. remote.Where(chains.IsComplete)];
        var onServer = restorable.Select(backup => backup.SnapshotGuid).ToHashSet();
        var bases = NextBases.Find(local, restorable);
        return LocalRotation.Plan(local, policy, onServer, identity.Owners, settings.KeepManual, bases);
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
                (action, reason) = (LocalRotationItem.Failed, e.StandardError.Trim()); // continue with the others
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
