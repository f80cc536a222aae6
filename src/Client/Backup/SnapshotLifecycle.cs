using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Creates the snapshots of backups, holds them while they are sent, acknowledges them when the server has committed,
/// and removes them if it never will.
/// </summary>
internal sealed class SnapshotLifecycle(ZfsHost zfs, ServerInventory inventory, Output output)
{
    private ClientIdentity Identity => inventory.Identity;

    /// <summary>
    /// Creates snapshots that are marked as pending and held. Those of one pool are created at the same moment.
    /// </summary>
    public async Task<IReadOnlyList<LocalSnapshot>> CreateAsync(
        IEnumerable<SnapshotName> names,
        SnapshotType type,
        CancellationToken cancellationToken
    )
    {
        List<LocalSnapshot> created = [];
        foreach (var pool in names.GroupBy(name => name.Dataset.Pool, StringComparer.Ordinal))
            created.AddRange(await zfs.CreateSnapshotsAsync([.. pool], type, Identity.Pending, cancellationToken));
        foreach (var snapshot in created)
            await HoldAsync(snapshot);
        return created;
    }

    /// <summary>Prevents the snapshot from being destroyed while its upload is open.</summary>
    public async Task HoldAsync(LocalSnapshot snapshot)
    {
        try
        {
            await zfs.HoldAsync(Identity.Owner.HoldTag, snapshot.Name, CancellationToken.None);
        }
        catch (ZfsException e)
        {
            output.Note(
                $"{snapshot.Name} has no hold while it is sent: {e.StandardError.Trim()}. That needs the permissions "
                    + "hold and release."
            );
        }
    }

    /// <summary>
    /// Records that the server has the snapshot: creates the bookmark on which the next backup can be based, releases
    /// the hold and marks the snapshot as committed.
    /// </summary>
    public async Task AcknowledgeAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        await zfs.CreateBookmarkAsync(snapshot.Name, snapshot.Guid, Identity.Owner, cancellationToken);
        // Before the mark: if the run is killed here, the next one still finds the snapshot by it.
        await ReleaseAsync(snapshot);
        await AdoptAsync([snapshot], cancellationToken);
    }

    /// <summary>Marks snapshots as committed to this server by this client.</summary>
    public Task AdoptAsync(IEnumerable<LocalSnapshot> snapshots, CancellationToken cancellationToken) =>
        zfs.MarkAsync(snapshots.Select(snapshot => snapshot.Name), Identity.Committed, cancellationToken);

    /// <summary>Marks and holds a pending snapshot of an earlier run as one of this run.</summary>
    public async Task TakeOverAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        await HoldAsync(snapshot);
        if (snapshot.Upload == Identity.Pending)
            return;
        await zfs.MarkAsync([snapshot.Name], Identity.Pending, cancellationToken);
        if (snapshot.Upload is { } before && before.HoldTag != Identity.Owner.HoldTag)
            await ReleaseAsync(snapshot, before.HoldTag);
    }

    /// <summary>Releases what holds a snapshot for its upload. Holds of others stay.</summary>
    public async Task ReleaseAsync(LocalSnapshot snapshot)
    {
        foreach (var tag in TagsOf(snapshot))
            await ReleaseAsync(snapshot, tag);
    }

    private async Task ReleaseAsync(LocalSnapshot snapshot, string tag)
    {
        try
        {
            await zfs.ReleaseAsync(tag, snapshot.Name, CancellationToken.None);
        }
        catch (ZfsException e)
        {
            output.Warn($"{snapshot.Name} could not be released; the next run tries again. {e.Message}. {e.Remedy}");
        }
    }

    public async Task RemoveAsync(LocalSnapshot snapshot)
    {
        try
        {
            foreach (var tag in TagsOf(snapshot))
                await zfs.ReleaseAsync(tag, snapshot.Name, CancellationToken.None);
            if (snapshot.Type is null or SnapshotType.Manual)
                await zfs.DestroySnapshotAsync(snapshot.Name, CancellationToken.None);
            else
                await zfs.UnmarkAsync(snapshot.Name, CancellationToken.None); // rotation keeps it for local use
        }
        catch (OperationException e)
        {
            output.Warn($"{snapshot.Name} could not be removed; the next run tries again. {e.Message}. {e.Remedy}");
        }
    }

    /// <summary>That of this run's own marks and, if it adopted the snapshot, that of its mark.</summary>
    private IEnumerable<string> TagsOf(LocalSnapshot snapshot) =>
        new[] { Identity.Owner.HoldTag, snapshot.Upload?.HoldTag }.OfType<string>().Distinct(StringComparer.Ordinal);
}
