using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Lets a restored dataset take the place of an existing one: the old one steps aside, the new one takes its name, its
/// <c>mountpoint</c> and <c>canmount</c>, and is mounted where the old one was; then the old one is destroyed. Before
/// the first step all of that is noted on the new one (<see cref="ReplacementNotes"/>), so that a run that is killed at
/// any point is completed by the next. Only datasets that existed when the restore began are destroyed.
/// </summary>
/// <param name="zfs">Where <c>zfs</c> runs.</param>
/// <param name="output">For what is said about it.</param>
/// <param name="names">The names that play a role.</param>
internal sealed class DatasetReplacement(ZfsHost zfs, Output output, TargetNames names)
{
    /// <summary>More names than these are not listed in a message.</summary>
    private const int MaxNames = 8;

    private readonly OldDatasets _old = new(zfs, output, names);
    private readonly ReplacementNotes _notes = new(zfs, names);

    /// <summary>
    /// Checks whether the dataset can be replaced, and says what will be destroyed. Nothing is changed.
    /// </summary>
    /// <param name="restored">The datasets that are restored, by their names behind that of the root.</param>
    /// <exception cref="OperationException">It must not be replaced.</exception>
    public async Task CheckAsync(IReadOnlySet<string> restored, CancellationToken cancellationToken)
    {
        var tree = await ReplacedTree.ReadAsync(zfs, names.Final, cancellationToken);
        var others = tree.Datasets.Where(dataset => !restored.Contains(dataset.Relative)).ToList();
        if (others.Count > 0)
            throw new OperationException(
                ExitCode.Conflict,
                $"{names.Final} has child datasets that are not restored with it, and --force would destroy them: "
                    + $"{Join(others.Select(dataset => dataset.NameBelow(names.Final)))}.",
                "Restore into another dataset, or rename them first. With --recursive, child datasets that are in the "
                    + "backup are replaced as well."
            );
        if (tree.Root is { IsMounted: true, Mountpoint: "legacy" })
            throw new OperationException(
                ExitCode.Conflict,
                $"{names.Final} is mounted by /etc/fstab or by hand (mountpoint=legacy), and ZFS cannot unmount it.",
                "Unmount it with 'umount', and run the same command again."
            );
        if (await _old.FindCloneAsync(names.Final, cancellationToken) is { } clone)
            throw new OperationException(
                ExitCode.Conflict,
                $"{clone.Clone} is a clone of {clone.Snapshot}, which --force would destroy.",
                "Restore into another dataset, or promote the clone first."
            );
        _old.Announce(tree);
        output.Note(await _old.DescribeAsync(tree, cancellationToken));
    }

    /// <summary>Exchanges the datasets. If that fails, the old one is where and as it was.</summary>
    public async Task ExchangeAsync(CancellationToken cancellationToken)
    {
        var tree = await ReplacedTree.ReadAsync(zfs, names.Final, cancellationToken);
        await _notes.WriteAsync(tree.Datasets.Where(_old.IsAnnounced), cancellationToken);
        var unmounted = new Stack<string>();
        try
        {
            foreach (var dataset in tree.Datasets.Where(dataset => dataset.IsMounted).Reverse())
            {
                var name = dataset.NameBelow(names.Final);
                unmounted.Push(name); // also if the command is cancelled: it may have taken effect
                await zfs.RunAsync(["unmount", name], cancellationToken);
            }

            await zfs.RenameAsync(names.Final, names.Replaced, cancellationToken);
            // The old dataset has stepped aside: that is not the moment to stop.
            await zfs.RenameAsync(names.Partial, names.Final, CancellationToken.None);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            await UndoAsync(tree.Root, unmounted);
            throw;
        }

        await CompleteAsync();
    }

    /// <summary>
    /// Whether an earlier run was killed while it exchanged the datasets. Its restore was complete before that. Without
    /// the mark of a restore a note is nothing: anybody can set such a property.
    /// </summary>
    public async Task<bool> IsInterruptedAsync(CancellationToken cancellationToken)
    {
        var isFinal = await zfs.ExistsAsync(names.Final, cancellationToken);
        var isAside = await zfs.ExistsAsync(names.Replaced, cancellationToken);
        if (!isFinal && !(isAside && await zfs.ExistsAsync(names.Partial, cancellationToken)))
            return false;
        var restored = isFinal ? names.Final : names.Partial;
        var notes = await _notes.ReadAsync(restored, cancellationToken);
        if (
            notes is not [{ Relative: "" } note, ..]
            || !(await PartialDataset.ReadAsync(zfs, restored, cancellationToken)).IsMarked
        )
            return false;
        return !isAside
            || (await ReplacedTree.ReadAsync(zfs, names.Replaced, cancellationToken)).Root.Guid == note.Guid;
    }

    /// <summary>Completes what <see cref="IsInterruptedAsync"/> found.</summary>
    public async Task CompleteInterruptedAsync(CancellationToken cancellationToken)
    {
        output.Note(
            $"An earlier restore was interrupted while it replaced {names.Final}. It was complete, and is finished now."
        );
        if (!await zfs.ExistsAsync(names.Final, cancellationToken))
            await zfs.RenameAsync(names.Partial, names.Final, cancellationToken);
        await CompleteAsync();
    }

    /// <summary>Removes the notes, when nothing is to be completed any more.</summary>
    public Task ClearAsync() => _notes.ClearAsync();

    /// <summary>The new dataset has its name. From here on nothing is undone, and nothing is cancelled.</summary>
    private async Task CompleteAsync()
    {
        var notes = await _notes.ReadAsync(names.Final, CancellationToken.None);
        await _old.KeepUnmountedAsync(notes);
        foreach (var note in notes)
            await TakePlaceAsync(note);
        foreach (var note in notes.Where(note => note.IsMounted))
            await TryPlaceAsync(["mount", note.NameBelow(names.Final)]);
        await _old.DestroyAsync(notes);
    }

    /// <summary>
    /// Puts the old dataset back. What is wrong with that is a warning: the failure that led to it is what is thrown.
    /// </summary>
    /// <param name="old">The dataset.</param>
    /// <param name="unmounted">What was unmounted, the last one on top.</param>
    private async Task UndoAsync(ReplacedDataset old, Stack<string> unmounted)
    {
        try
        {
            if (!await zfs.ExistsAsync(names.Final, CancellationToken.None))
                await zfs.RenameAsync(names.Replaced, names.Final, CancellationToken.None);
            if ((await ReplacedTree.ReadAsync(zfs, names.Final, CancellationToken.None)).Root.Guid != old.Guid)
                return; // the new one has its name although the command failed: the next run does the rest
        }
        catch (OperationException e)
        {
            output.Warn(
                $"{names.Final} could not be put back and may be called {names.Replaced}: {e.Message}. To put it back, "
                    + $"if {names.Final} does not exist: zfs rename '{names.Replaced}' '{names.Final}' && zfs mount "
                    + $"'{names.Final}'. To complete the restore instead, run the same command again."
            );
            return;
        }

        while (unmounted.TryPop(out var name))
            await TryAsync(["mount", name], ($"{name} is not mounted again", "mount it"));
    }

    /// <summary>
    /// With canmount=noauto, which every restored file system has, nothing is mounted by this. <c>canmount</c> cannot
    /// be inherited: only with <c>-S</c> does <c>zfs inherit</c> bring its default back.
    /// </summary>
    private async Task TakePlaceAsync(ReplacedDataset old)
    {
        var name = old.NameBelow(names.Final);
        var rows = await zfs.RunTableAsync(["get", "-H", "-o", "value", "type", name], CancellationToken.None);
        if (rows.Single()[0] != "filesystem")
            return;
        if (old.Mountpoint is { } mountpoint)
            await TryPlaceAsync(["set", $"mountpoint={mountpoint}", name]);
        await TryPlaceAsync(
            old.CanMount is { } value ? ["set", $"canmount={value}", name] : ["inherit", "-S", "canmount", name]
        );
    }

    private Task TryPlaceAsync(string[] command) =>
        TryAsync(command, ($"{names.Final} is restored, but is not yet in its place", "put it there"));

    /// <param name="command">Arguments of <c>zfs</c>.</param>
    /// <param name="warning">What it means if the command fails, and what the user runs it for.</param>
    private async Task TryAsync(string[] command, (string Consequence, string Purpose) warning)
    {
        try
        {
            await zfs.RunAsync(command, CancellationToken.None);
        }
        catch (ZfsException e) when (e.StandardError.Contains("already mounted", StringComparison.Ordinal))
        {
            // It was not unmounted, or the run that was interrupted has mounted it.
        }
        catch (ZfsException e)
        {
            var key = e.StandardError.Contains("key not loaded", StringComparison.Ordinal)
                ? $"zfs load-key '{command[^1]}' && "
                : "";
            var words = string.Join(
                ' ',
                command.Select(word => word.Contains(' ', StringComparison.Ordinal) ? $"'{word}'" : word)
            );
            output.Warn($"{warning.Consequence}: {e.StandardError.Trim()}. To {warning.Purpose}: {key}zfs {words}");
        }
    }

    private static string Join(IEnumerable<string> all)
    {
        var listed = all.ToList();
        return string.Join(", ", listed.Take(MaxNames)) + (listed.Count > MaxNames ? ", …" : "");
    }
}
