using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Lets a restored dataset take the place of an existing one: the old one steps aside, the new one takes its name, its
/// <c>mountpoint</c> and <c>canmount</c>, and is mounted where the old one was; then the old one is destroyed. Before
/// the first step all of that is noted on the new one, so that a run that is killed at any point is completed by the
/// next. Only datasets that existed when the restore began are destroyed.
/// </summary>
/// <param name="zfs">Where <c>zfs</c> runs.</param>
/// <param name="output">For what is said about it.</param>
/// <param name="names">The names that play a role.</param>
/// <param name="rename">Renames a dataset.</param>
internal sealed class DatasetReplacement(
    ZfsHost zfs,
    Output output,
    ReplacementNames names,
    Func<DatasetName, DatasetName, CancellationToken, Task> rename
)
{
    /// <summary>On the new dataset, a <see cref="ReplacedDataset"/> as a note.</summary>
    private const string NoteProperty = "zfs-snapshot-manager:replaces";

    /// <summary>More names than these are not listed in a message.</summary>
    private const int MaxNames = 8;

    private readonly OldDatasets _old = new(zfs, output, names);

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
        await WriteNotesAsync(tree, cancellationToken);
        var unmounted = new Stack<string>();
        var isAside = false;
        try
        {
            foreach (var dataset in tree.Datasets.Where(dataset => dataset.IsMounted).Reverse())
                await UnmountAsync(dataset.NameBelow(names.Final), unmounted, cancellationToken);
            await rename(names.Final, names.Replaced, cancellationToken);
            isAside = true;
            await rename(names.Partial, names.Final, cancellationToken);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            if (isAside)
                await rename(names.Replaced, names.Final, CancellationToken.None);
            while (unmounted.TryPop(out var name))
                await zfs.RunAsync(["mount", name], CancellationToken.None);
            throw;
        }

        await CompleteAsync();
    }

    /// <summary>
    /// Whether an earlier run was killed while it exchanged the datasets. Its restore was complete before that.
    /// </summary>
    public async Task<bool> IsInterruptedAsync(CancellationToken cancellationToken)
    {
        var isFinal = await zfs.ExistsAsync(names.Final, cancellationToken);
        var isAside = await zfs.ExistsAsync(names.Replaced, cancellationToken);
        if (!isFinal && !(isAside && await zfs.ExistsAsync(names.Partial, cancellationToken)))
            return false;
        var notes = await ReadNotesAsync(isFinal ? names.Final : names.Partial, cancellationToken);
        if (notes is not [{ Relative: "" } note, ..])
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
            await rename(names.Partial, names.Final, cancellationToken);
        await CompleteAsync();
    }

    /// <summary>Removes the notes: the last step.</summary>
    public Task ClearAsync() =>
        zfs.RunAsync(["inherit", "-r", NoteProperty, names.Final.Value], CancellationToken.None);

    /// <summary>The new dataset has its name. From here on nothing is undone, and nothing is cancelled.</summary>
    private async Task CompleteAsync()
    {
        var notes = await ReadNotesAsync(names.Final, CancellationToken.None);
        await _old.KeepUnmountedAsync(notes);
        foreach (var note in notes)
            await TakePlaceAsync(note);
        foreach (var note in notes.Where(note => note.IsMounted))
            await MountAsync(note.NameBelow(names.Final));
        await _old.DestroyAsync(notes);
    }

    /// <summary>
    /// An earlier run may have unmounted the old dataset and been killed: then its note says that it was mounted.
    /// </summary>
    private async Task WriteNotesAsync(ReplacedTree tree, CancellationToken cancellationToken)
    {
        var mounted = (await ReadNotesAsync(names.Partial, cancellationToken))
            .Where(note => note.IsMounted)
            .Select(note => note.Guid)
            .ToHashSet();
        await zfs.RunAsync(["inherit", "-r", NoteProperty, names.Partial.Value], cancellationToken);
        foreach (var dataset in tree.Datasets)
        {
            if (!_old.IsAnnounced(dataset))
                continue;
            var note = mounted.Contains(dataset.Guid) ? dataset with { IsMounted = true } : dataset;
            await zfs.RunAsync(
                ["set", $"{NoteProperty}={note.ToNote()}", dataset.NameBelow(names.Partial)],
                cancellationToken
            );
        }
    }

    private async Task<IReadOnlyList<ReplacedDataset>> ReadNotesAsync(
        DatasetName root,
        CancellationToken cancellationToken
    )
    {
        var rows = await zfs.RunTableAsync(
            ["get", "-H", "-r", "-s", "local", "-t", "filesystem,volume", "-o", "name,value", NoteProperty, root.Value],
            cancellationToken
        );
        return
        [
            .. rows.Select(row => ReplacedDataset.FromNote(row[0][root.Value.Length..], row[1]))
                .OfType<ReplacedDataset>()
                .OrderBy(note => note.Relative, StringComparer.Ordinal),
        ];
    }

    private async Task UnmountAsync(string name, Stack<string> unmounted, CancellationToken cancellationToken)
    {
        await zfs.RunAsync(["unmount", name], cancellationToken);
        unmounted.Push(name);
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
            await TryAsync(["set", $"mountpoint={mountpoint}", name]);
        await TryAsync(
            old.CanMount is { } value ? ["set", $"canmount={value}", name] : ["inherit", "-S", "canmount", name]
        );
    }

    private Task MountAsync(string name) => TryAsync(["mount", name]);

    private async Task TryAsync(string[] command)
    {
        try
        {
            await zfs.RunAsync(command, CancellationToken.None);
        }
        catch (ZfsException e) when (e.StandardError.Contains("already mounted", StringComparison.Ordinal))
        {
            // The run that was interrupted has mounted it.
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
            output.Warn(
                $"{names.Final} is restored, but is not yet in its place: {e.StandardError.Trim()}. To put it there: "
                    + $"{key}zfs {words}"
            );
        }
    }

    private static string Join(IEnumerable<string> all)
    {
        var listed = all.ToList();
        return string.Join(", ", listed.Take(MaxNames)) + (listed.Count > MaxNames ? ", …" : "");
    }
}

/// <summary>The names of the datasets that are exchanged; all have the same parent.</summary>
/// <param name="Final">The name of the old dataset, which the new one gets.</param>
/// <param name="Partial">The name under which the new one was received.</param>
/// <param name="Replaced">The name of the old one between the exchange and its end.</param>
internal sealed record ReplacementNames(DatasetName Final, DatasetName Partial, DatasetName Replaced);
