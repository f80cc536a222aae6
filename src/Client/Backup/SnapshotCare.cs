using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// What is done to the snapshots that this tool makes: held while they are sent, acknowledged when the server has them,
/// removed when it never will.
/// </summary>
internal sealed class SnapshotCare(ZfsHost zfs, Output output)
{
    /// <summary>
    /// Makes snapshots of one moment, as far as they are in one pool, each marked as pending and held.
    /// </summary>
    public async Task<IReadOnlyList<LocalSnapshot>> CreateAsync(
        IEnumerable<SnapshotName> names,
        SnapshotType type,
        CancellationToken cancellationToken
    )
    {
        List<LocalSnapshot> made = [];
        foreach (var pool in names.GroupBy(name => name.Dataset.Pool, StringComparer.Ordinal))
        {
            made.AddRange(await zfs.CreateSnapshotsAsync([.. pool], type, UploadMark.Pending, cancellationToken));
        }

        foreach (var snapshot in made)
            await HoldAsync(snapshot);
        return made;
    }

    /// <summary>Sees to it that nobody destroys the snapshot while its upload is open.</summary>
    public async Task HoldAsync(LocalSnapshot snapshot)
    {
        try
        {
            await zfs.HoldAsync(snapshot.Name, CancellationToken.None);
        }
        catch (ZfsException e)
        {
            output.Note(
                $"{snapshot.Name} is not held while it is sent: {e.StandardError.Trim()}. The permissions for that "
                    + "are hold and release."
            );
        }
    }

    /// <summary>Notes that the server has it: a bookmark, from which the next backup can start, and the mark.</summary>
    public async Task AcknowledgeAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        var existing = await zfs.ListSnapshotsAsync(snapshot.Name.Dataset, cancellationToken);
        if (!existing.Any(s => s.Name.IsBookmark && s.Guid == snapshot.Guid))
            await zfs.CreateBookmarkAsync(snapshot.Name, cancellationToken);
        await ReleaseAsync(snapshot); // before the mark, so that a run that is killed here is known by it
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
            Output.Warn($"{snapshot.Name} could not be released; the next run tries again. {e.Message}. {e.Remedy}");
        }
    }

    public async Task RemoveAsync(LocalSnapshot snapshot)
    {
        try
        {
            await zfs.ReleaseAsync(snapshot.Name, CancellationToken.None);
            if (snapshot.Type is null or SnapshotType.Manual)
                await zfs.DestroySnapshotAsync(snapshot.Name, CancellationToken.None);
            // It is of use here without a backup.
            else
                await zfs.UnmarkAsync(snapshot.Name, CancellationToken.None);
        }
        catch (OperationException e)
        {
            Output.Warn($"{snapshot.Name} could not be removed; the next run tries again. {e.Message}. {e.Remedy}");
        }
    }
}
