using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// The datasets that a restore replaces and then destroys: only those that existed when it began and that it named. A
/// restore may take hours; what was made below them meanwhile, and clones of their snapshots, are never destroyed.
/// </summary>
/// <param name="zfs">Where <c>zfs</c> runs.</param>
/// <param name="output">For what is said about it.</param>
/// <param name="names">The names that play a role.</param>
internal sealed class OldDatasets(ZfsHost zfs, Output output, TargetNames names)
{
    private readonly HashSet<ulong> _announced = [];

    /// <summary>Volumes whose devices were removed, with the command that brings each back.</summary>
    private readonly List<(DatasetName Volume, string[] Undo)> _withoutDevice = [];

    /// <summary>From now on these are known, whatever comes to them.</summary>
    public void Announce(ReplacedTree tree) => _announced.UnionWith(tree.Datasets.Select(dataset => dataset.Guid));

    public bool IsAnnounced(ReplacedDataset dataset) => _announced.Contains(dataset.Guid);

    /// <summary>What will be destroyed, for the user.</summary>
    public async Task<string> DescribeAsync(ReplacedTree tree, CancellationToken cancellationToken)
    {
        var rows = await ListAsync("snapshot,bookmark", "type,name,creation", names.Final, cancellationToken);
        var snapshots = rows.Where(row => row[0] == "snapshot").ToList();
        var bookmarks = rows.Count - snapshots.Count;
        var below = tree.Datasets.Count > 1 ? $"{Count(tree.Datasets.Count - 1, "dataset")} below it, " : "";
        return $"{names.Final} will be replaced. When the restored dataset is complete and in its place, the old one "
            + $"is destroyed, with {below}{Count(snapshots.Count, "snapshot")} and {Count(bookmarks, "bookmark")}. "
            + "Until then it stays as it is.";

        static string Count(int number, string what) => number == 1 ? $"1 {what}" : $"{number} {what}s";
    }

    /// <returns>A clone of one of the snapshots; null if none exists.</returns>
    public async Task<(string Clone, string Snapshot)?> FindCloneAsync(
        DatasetName root,
        CancellationToken cancellationToken
    )
    {
        foreach (var row in await ListAsync("snapshot", "name,clones", root, cancellationToken))
        {
            foreach (var clone in row[1].Split(',', StringSplitOptions.RemoveEmptyEntries))
            {
                if (clone != "-")
                    return (clone, row[0]);
            }
        }

        return null;
    }

    /// <summary>
    /// From now on the mountpoint is that of the new datasets: at the next boot the old ones must not be mounted there,
    /// if they are kept or not yet destroyed.
    /// </summary>
    /// <param name="notes">What was noted of them before they stepped aside.</param>
    public async Task KeepUnmountedAsync(IReadOnlyList<ReplacedDataset> notes)
    {
        if (!await zfs.ExistsAsync(names.Replaced, CancellationToken.None))
            return;
        var known = notes.Select(note => note.Guid).ToHashSet();
        var tree = await ReplacedTree.ReadAsync(zfs, names.Replaced, CancellationToken.None);
        foreach (var dataset in tree.Datasets.Where(dataset => known.Contains(dataset.Guid)))
        {
            if (dataset is { IsVolume: false, CanMount: null or "on" })
                await KeepUnmountedAsync(dataset.NameBelow(names.Replaced));
        }
    }

    private async Task KeepUnmountedAsync(string name)
    {
        try
        {
            await zfs.RunAsync(["set", "canmount=noauto", name], CancellationToken.None);
        }
        catch (ZfsException e)
        {
            output.Warn(
                $"{name} has the mountpoint of the dataset that replaced it: {e.StandardError.Trim()}. So that it is "
                    + $"not mounted at the next boot: zfs set canmount=noauto '{name}'"
            );
        }
    }

    /// <summary>Destroys the old datasets, or says why they are kept and how they are called.</summary>
    /// <param name="notes">What was noted of them before they stepped aside.</param>
    public async Task DestroyAsync(IReadOnlyList<ReplacedDataset> notes)
    {
        if (!await zfs.ExistsAsync(names.Replaced, CancellationToken.None))
            return;
        try
        {
            var tree = await ReplacedTree.ReadAsync(zfs, names.Replaced, CancellationToken.None);
            if (await FindReasonToKeepAsync(tree, notes) is { } reason)
            {
                output.Warn($"The old dataset is kept, with all its snapshots, as {names.Replaced}: {reason}");
                await BringDevicesBackAsync();
                return;
            }

            // Deepest first, and never with -r: a child that is made in this moment is not destroyed.
            foreach (var dataset in tree.Datasets.Reverse())
                await DestroyAsync(dataset.NameBelow(names.Replaced));
        }
        catch (ZfsException e)
        {
            output.Warn(
                $"{names.Final} is restored, but the old dataset could not be destroyed and is now called "
                    + $"{names.Replaced}: {e.StandardError.Trim()}. If it is no longer needed: zfs destroy -r "
                    + $"'{names.Replaced}'"
            );
            await BringDevicesBackAsync();
        }
    }

    private async Task<string?> FindReasonToKeepAsync(ReplacedTree tree, IReadOnlyList<ReplacedDataset> notes)
    {
        var known = notes.Select(note => note.Guid).ToHashSet();
        if (tree.Datasets.FirstOrDefault(dataset => !known.Contains(dataset.Guid)) is { } added)
        {
            var (now, before) = (added.NameBelow(names.Replaced), added.NameBelow(names.Final));
            return $"{before} was created below it during the restore, and is now {now}. To move it back: zfs rename "
                + $"'{now}' '{before}' && zfs mount '{before}'. Then, if the old dataset is no longer needed: zfs "
                + $"destroy -r '{names.Replaced}'";
        }

        if (await FindCloneAsync(names.Replaced, CancellationToken.None) is { } clone)
            return $"{clone.Clone} is a clone of {clone.Snapshot}. If the old dataset is no longer needed: zfs promote "
                + $"'{clone.Clone}' && zfs destroy -r '{names.Replaced}'";
        var held = await ListAsync("snapshot", "name,userrefs", names.Replaced, CancellationToken.None);
        if (held.FirstOrDefault(row => row[1] is not ("0" or "-")) is { } hold)
            return $"{hold[0]} is held. To see by whom: zfs holds '{hold[0]}'. When it is released: zfs destroy -r "
                + $"'{names.Replaced}'";
        foreach (var dataset in tree.Datasets)
        {
            var name = DatasetName.Parse(dataset.NameBelow(names.Replaced));
            if (await IsOpenVolumeAsync(name))
                return $"the volume {name} is still open somewhere on this machine (a program, a mount, LVM, a virtual "
                    + $"machine). When it is closed: zfs destroy -r '{names.Replaced}'";
        }

        return null;
    }

    /// <summary>
    /// ZFS destroys the snapshots of a volume that is open first, and only then fails. With <c>volmode=none</c> it
    /// removes the device of a volume, unless it is open, and nobody can open it any more.
    /// </summary>
    private async Task<bool> IsOpenVolumeAsync(DatasetName volume)
    {
        var rows = await zfs.RunTableAsync(
            ["get", "-H", "-o", "property,value,source", "type,volmode", volume.Value],
            CancellationToken.None
        );
        var values = rows.ToDictionary(row => row[0], row => row, StringComparer.Ordinal);
        if (values["type"][1] != "volume" || values["volmode"][1] == "none")
            return false;
        await zfs.RunAsync(["set", "volmode=none", volume.Value], CancellationToken.None);
        _withoutDevice.Add(
            (
                volume,
                values["volmode"] is [_, var value, "local"]
                    ? ["set", $"volmode={value}", volume.Value]
                    : ["inherit", "volmode", volume.Value]
            )
        );
        return !await zfs.WaitForVolumeDeviceToGoAsync(volume, CancellationToken.None);
    }

    /// <summary>A volume that is kept is as usable as it was.</summary>
    private async Task BringDevicesBackAsync()
    {
        foreach (var (volume, undo) in _withoutDevice)
        {
            try
            {
                if (await zfs.ExistsAsync(volume, CancellationToken.None))
                    await zfs.RunAsync(undo, CancellationToken.None);
            }
            catch (OperationException e)
            {
                output.Warn($"{volume} has no device: {e.Message}. To bring it back: zfs {string.Join(' ', undo)}");
            }
        }

        _withoutDevice.Clear();
    }

    private async Task DestroyAsync(string name)
    {
        var snapshots = await zfs.RunTableAsync(
            ["list", "-H", "-d", "1", "-t", "snapshot", "-o", "name", name],
            CancellationToken.None
        );
        if (snapshots.Any())
            await zfs.RunAsync(["destroy", $"{name}@%"], CancellationToken.None);
        await zfs.RunAsync(["destroy", name], CancellationToken.None);
    }

    private async Task<List<string[]>> ListAsync(
        string types,
        string columns,
        DatasetName root,
        CancellationToken cancellationToken
    ) =>
        [
            .. await zfs.RunTableAsync(
                ["list", "-H", "-p", "-r", "-t", types, "-o", columns, root.Value],
                cancellationToken
            ),
        ];
}
