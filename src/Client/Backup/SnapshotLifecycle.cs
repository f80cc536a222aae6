using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Creates the snapshots of backups, holds them while they are sent, acknowledges them when the server has committed,
/// and removes them if it never will. Many snapshots are held, released and marked by one command.
/// </summary>
internal sealed class SnapshotLifecycle(ZfsHost zfs, ServerInventory inventory, Output output)
{
    /// <summary>Acknowledged snapshots that wait for the others' command.</summary>
    private const int MostUnfinished = 100;

    private readonly List<LocalSnapshot> _unfinished = [];
    private readonly HashSet<string> _poolsWithoutBookmarks = new(StringComparer.Ordinal);

    private ClientIdentity Identity => inventory.Identity;

    /// <summary>
    /// Creates snapshots that are marked as pending and held. Those of one pool are created at the same moment.
    /// </summary>
    public async Task<JointSnapshotResult> CreateAsync(
        IEnumerable<SnapshotName> names,
        SnapshotType type,
        CancellationToken cancellationToken
    )
    {
        var made = await zfs.CreateSnapshotsAsync(names, type, Identity.Pending, cancellationToken);
        WarnOfMoments(output, made);
        await HoldAsync(made.Created);
        return made;
    }

    /// <summary>Marks and holds snapshots that were created without a mark, before the server was asked.</summary>
    public async Task<JointSnapshotResult> MarkAsync(JointSnapshotResult made, CancellationToken cancellationToken)
    {
        var refusals = await zfs.MarkAsync(NamesOf(made.Created), Identity.Pending, cancellationToken);
        var failures = made.Failures.ToDictionary();
        foreach (var snapshot in made.Created)
        {
            if (refusals.Find(snapshot.Name) is { } refusal)
                failures.Add(snapshot.Name.Dataset, refusal);
        }

        made = made with
        {
            Created =
            [
                .. made
                    .Created.Where(snapshot => refusals.Find(snapshot.Name) is null)
                    .Select(snapshot => snapshot with { Upload = Identity.Pending }),
            ],
            Failures = failures,
        };
        await HoldAsync(made.Created);
        return made;
    }

    public static void WarnOfMoments(Output output, JointSnapshotResult made)
    {
        foreach (var pool in made.Scattered)
            output.Warn(
                $"the snapshots of {pool} are not of the same moment: they are too many for one 'zfs snapshot', or ZFS "
                    + "did not say which dataset it refused."
            );
    }

    /// <summary>Prevents snapshots from being destroyed while their uploads are open.</summary>
    public async Task HoldAsync(IReadOnlyList<LocalSnapshot> snapshots)
    {
        var refusals = await zfs.HoldAsync(Identity.Owner.HoldTag, NamesOf(snapshots), CancellationToken.None);
        if (snapshots.FirstOrDefault(snapshot => refusals.Find(snapshot.Name) is not null) is not { } first)
            return;
        var more = refusals.All.Count > 1 ? $" (nor have {refusals.All.Count - 1} others)" : "";
        output.Note(
            $"{first.Name} has no hold while it is sent{more}: {refusals.Find(first.Name)!.StandardError.Trim()}. That "
                + "needs the permissions hold and release."
        );
    }

    /// <summary>
    /// Records that the server has the snapshot: creates the bookmark on which the next backup can be based, releases
    /// the hold and marks the snapshot as committed; the latter two for many at once, by
    /// <see cref="FinishAsync"/> at the latest.
    /// </summary>
    public async Task AcknowledgeAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        await BookmarkAsync(snapshot, cancellationToken);
        _unfinished.Add(snapshot);
        if (_unfinished.Count >= MostUnfinished)
            await FinishAsync();
    }

    /// <summary>Ends what <see cref="AcknowledgeAsync"/> began.</summary>
    public async Task FinishAsync()
    {
        if (_unfinished.Count == 0)
            return;
        LocalSnapshot[] all = [.. _unfinished];
        _unfinished.Clear();
        // Before the mark: if the run is killed here, the next one still finds the snapshots by it.
        await ReleaseAsync(all);
        await AdoptAsync(all);
    }

    /// <summary>Marks snapshots as committed to this server by this client.</summary>
    public async Task AdoptAsync(IReadOnlyList<LocalSnapshot> snapshots)
    {
        if (snapshots.Count > 0)
            await TryAsync(
                () => zfs.MarkAsync(NamesOf(snapshots), Identity.Committed, CancellationToken.None),
                "marked"
            );
    }

    /// <summary>Marks and holds a pending snapshot of an earlier run as one of this run.</summary>
    public async Task TakeOverAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        await HoldAsync([snapshot]);
        if (snapshot.Upload == Identity.Pending)
            return;
        var refusals = await zfs.MarkAsync([snapshot.Name], Identity.Pending, cancellationToken);
        if (refusals.Find(snapshot.Name) is { } refusal)
            throw refusal;
        if (snapshot.Upload is { } before && before.HoldTag != Identity.Owner.HoldTag)
            await ReleaseAsync(before.HoldTag, [snapshot]);
    }

    /// <summary>Releases what holds snapshots for their uploads. Holds of others stay.</summary>
    public async Task ReleaseAsync(IReadOnlyList<LocalSnapshot> snapshots)
    {
        foreach (var tag in snapshots.SelectMany(TagsOf).Distinct(StringComparer.Ordinal).ToList())
            await ReleaseAsync(tag, snapshots.Where(snapshot => TagsOf(snapshot).Contains(tag)));
    }

    /// <summary>
    /// Removes snapshots that will not be sent. Those of a class stay for local use.
    /// </summary>
    public async Task RemoveAsync(IReadOnlyList<LocalSnapshot> snapshots)
    {
        await ReleaseAsync(snapshots);
        var kept = snapshots.Where(snapshot => snapshot.Type is not (null or SnapshotType.Manual)).ToList();
        if (kept.Count > 0)
            await TryAsync(() => zfs.UnmarkAsync(NamesOf(kept), CancellationToken.None), "unmarked");
        foreach (var snapshot in snapshots.Except(kept))
        {
            try
            {
                await zfs.DestroySnapshotAsync(snapshot.Name, CancellationToken.None);
            }
            catch (OperationException e)
            {
                output.Warn($"{snapshot.Name} could not be removed; the next run tries again. {e.Message}. {e.Remedy}");
            }
        }
    }

    private Task ReleaseAsync(string tag, IEnumerable<LocalSnapshot> snapshots) =>
        TryAsync(() => zfs.ReleaseAsync(tag, NamesOf(snapshots), CancellationToken.None), "released");

    /// <summary>That of this run's own marks and, if it adopted the snapshot, that of its mark.</summary>
    private IEnumerable<string> TagsOf(LocalSnapshot snapshot) =>
        new[] { Identity.Owner.HoldTag, snapshot.Upload?.HoldTag }.OfType<string>().Distinct(StringComparer.Ordinal);

    private static IEnumerable<SnapshotName> NamesOf(IEnumerable<LocalSnapshot> snapshots) =>
        snapshots.Select(snapshot => snapshot.Name);

    /// <summary>
    /// Without a bookmark, the snapshot itself is what the next backup is based on: rotation keeps the newest that the
    /// server has.
    /// </summary>
    /// <exception cref="ZfsException">The snapshot is gone, or the other machine cannot be reached.</exception>
    private async Task BookmarkAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        var pool = snapshot.Name.Dataset.Pool;
        if (_poolsWithoutBookmarks.Contains(pool))
            return;
        try
        {
            await zfs.CreateBookmarkAsync(snapshot.Name, snapshot.Guid, Identity.Owner, cancellationToken);
        }
        catch (ZfsException e) when (e.StandardError.Contains("feature not enabled", StringComparison.Ordinal))
        {
            _poolsWithoutBookmarks.Add(pool);
            output.Note(
                $"The pool {pool} has no bookmarks (feature@bookmarks is off): the snapshots themselves are the bases "
                    + "of the next backups. Keep the newest of each dataset."
            );
        }
        catch (ZfsException e) when (e.End == ZfsEnd.Refused)
        {
            if (!await ExistsAsync(snapshot.Name, cancellationToken))
                throw;
            output.Warn(
                $"{snapshot.Name} is stored on the server, but has no bookmark here: the next backup starts from the "
                    + $"snapshot itself, so keep it. {e.Message}. {e.Remedy}"
            );
        }
    }

    private async Task<bool> ExistsAsync(SnapshotName snapshot, CancellationToken cancellationToken)
    {
        var exists = false;
        await zfs.FindSnapshotsAsync([snapshot], _ => exists = true, cancellationToken);
        return exists;
    }

    /// <summary>
    /// Only a warning, however it fails: the next run does it by the marks, and a failure here must not take the place
    /// of the one that ended the run.
    /// </summary>
    private async Task TryAsync(Func<Task<ZfsRefusals>> command, string what)
    {
        try
        {
            var refusals = await command();
            if (refusals.All.FirstOrDefault() is { } first)
                Warn(first, refusals.All.Count > 1 ? $"{what} (nor {refusals.All.Count - 1} more)" : what);
        }
        catch (OperationException e)
        {
            Warn(e, what);
        }
    }

    private void Warn(OperationException e, string what) =>
        output.Warn($"not {what}; the next run tries again. {e.Message}. {e.Remedy}");
}
