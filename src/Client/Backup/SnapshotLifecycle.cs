using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Creates the snapshots of backups, holds them while they are sent, acknowledges them when the server has committed,
/// and removes them if it never will.
/// </summary>
internal sealed class SnapshotLifecycle(ZfsHost zfs, Output output)
{
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
            created.AddRange(await zfs.CreateSnapshotsAsync([.. pool], type, UploadMark.Pending, cancellationToken));
        foreach (var snapshot in created)
            await HoldAsync(snapshot);
        return created;
    }

    /// <summary>Prevents the snapshot from being destroyed while its upload is open.</summary>
    public async Task HoldAsync(LocalSnapshot snapshot)
    {
        try
        {
            await zfs.HoldAsync(snapshot.Name, CancellationToken.None);
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
        var existing = await zfs.ListSnapshotsAsync(snapshot.Name.Dataset, cancellationToken);
        if (!existing.Any(s => s.Name.IsBookmark && s.Guid == snapshot.Guid))
            await zfs.CreateBookmarkAsync(snapshot.Name, cancellationToken);
        // Before the mark: if the run is killed here, the next one still finds the snapshot by it.
        await ReleaseAsync(snapshot);
        await zfs.MarkAsync(snapshot.Name, UploadMark.Committed, cancellationToken);
    }

    public async Task ReleaseAsync(LocalSnapshot snapshot)
    {
        try
        {
            await zfs.ReleaseAsync(snapshot.Name, CancellationToken.None);
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
            await zfs.ReleaseAsync(snapshot.Name, CancellationToken.None);
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
}
