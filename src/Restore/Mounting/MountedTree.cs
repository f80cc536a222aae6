using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.Mounting;

/// <summary>
/// Mounts a dataset and all below it on a directory, without changing a property: where the datasets belong, and what
/// is mounted at the next boot, stays as it is. What would hide files is not mounted.
/// </summary>
/// <param name="zfs">On this machine.</param>
/// <param name="output">For warnings.</param>
/// <param name="root">The directory for the first dataset.</param>
/// <param name="writable">Whether it is mounted read-write.</param>
internal sealed class MountedTree(ZfsHost zfs, Output output, string root, bool writable)
{
    /// <summary>What was done, in order.</summary>
    private readonly Stack<Step> _done = new();

    /// <param name="datasets">The dataset and all below it, parents before children.</param>
    /// <returns>What became of the datasets below it.</returns>
    /// <exception cref="OperationException">The first cannot be mounted; then nothing is.</exception>
    public async Task<IReadOnlyList<MountedChild>> MountAsync(
        IReadOnlyList<MountableDataset> datasets,
        CancellationToken cancellationToken
    )
    {
        List<MountedChild> children = [];
        try
        {
            var fault = TryCreateDirectory(root) ?? await TryMountAsync(datasets[0], root, cancellationToken);
            if (fault is not null)
                throw CannotMount(datasets[0], fault);
            foreach (var child in datasets.Skip(1))
                children.Add(await MountChildAsync(datasets[0], child, cancellationToken));
            return children;
        }
        catch
        {
            await UndoAsync(downTo: 0);
            throw;
        }
    }

    private async Task<MountedChild> MountChildAsync(
        MountableDataset top,
        MountableDataset child,
        CancellationToken cancellationToken
    )
    {
        var relative = child.Name.Value[(top.Name.Value.Length + 1)..];
        var path = Path.Combine(root, relative);
        var reason = TryFindObstacle(child, relative);
        if (reason is null)
        {
            var before = _done.Count;
            reason = TryCreateDirectory(path) ?? await TryMountAsync(child, path, cancellationToken);
            if (reason is not null)
                await UndoAsync(before);
        }

        return new MountedChild
        {
            Dataset = child.Name.Value,
            Mountpoint = reason is null ? path : null,
            Reason = reason,
        };
    }

    /// <summary>What cannot even be read, such as a damaged directory, costs only the dataset for it.</summary>
    private string? TryFindObstacle(MountableDataset child, string relative)
    {
        try
        {
            return FindObstacle(child, relative);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"its directory cannot be read: {e.Message}";
        }
    }

    /// <returns>Why it is not mounted, as a sentence without its end; null if nothing is in the way.</returns>
    private string? FindObstacle(MountableDataset child, string relative)
    {
        if (child.IsVolume)
            return $"it is a volume, whose blocks are at /dev/zvol/{child.Name}";
        if (child.IsMounted)
            return $"it is already mounted at {MountTable.FindDirectory(child.Name.Value) ?? "another place"}";
        if (child.IsLocked)
            return $"its key is not loaded: zfs load-key {child.Name}";

        // What is restored is foreign data: a link in it must not lead the mount to another place.
        var path = root;
        foreach (var component in relative.Split('/'))
        {
            path = Path.Combine(path, component);
            if (new FileInfo(path) is { LinkTarget: not null } or { Exists: true })
                return $"{path} is not a directory";
            if (!Directory.Exists(path))
                return writable ? null : $"the directory {path} does not exist in the restored files";
        }

        return Directory.EnumerateFileSystemEntries(path).Any()
            ? $"the directory {path} is not empty, and its files would be hidden"
            : null;
    }

    /// <returns>Why it failed; null if it is mounted.</returns>
    private async Task<string?> TryMountAsync(
        MountableDataset dataset,
        string path,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await zfs.RunOtherAsync(
                "mount",
                ["-t", "zfs", "-o", dataset.Options(writable), dataset.Name.Value, path],
                cancellationToken
            );
            _done.Push(new Step(path, IsMount: true));
            return null;
        }
        catch (ZfsException e)
        {
            return e.StandardError.Trim();
        }
    }

    private static OperationException CannotMount(MountableDataset dataset, string fault) =>
        new(
            ExitCode.Zfs,
            $"{dataset.Name} cannot be mounted: {fault}",
            Environment.IsPrivilegedProcess ? null : "On Linux only root mounts: run the command as root (sudo)."
        );

    /// <summary>With those above it that do not exist either.</summary>
    /// <returns>Why it failed; null if it exists.</returns>
    private string? TryCreateDirectory(string path)
    {
        try
        {
            CreateDirectory(path);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"the directory {path} cannot be created: {e.Message}";
        }
    }

    private void CreateDirectory(string path)
    {
        List<string> missing = [];
        for (var next = path; next is not null && !Directory.Exists(next); next = Path.GetDirectoryName(next))
            missing.Add(next);
        foreach (var directory in Enumerable.Reverse(missing))
        {
            Directory.CreateDirectory(directory);
            _done.Push(new Step(directory, IsMount: false));
        }
    }

    private async Task UndoAsync(int downTo)
    {
        while (_done.Count > downTo)
        {
            var step = _done.Pop();
            if (step.IsMount)
                await UnmountAsync(step.Path);
            else
                RemoveDirectory(step.Path);
        }
    }

    private void RemoveDirectory(string path)
    {
        try
        {
            if (!Directory.EnumerateFileSystemEntries(path).Any())
                Directory.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            output.Warn($"The directory {path}, which was created for the mount, is left: {e.Message}");
        }
    }

    private async Task UnmountAsync(string path)
    {
        try
        {
            await zfs.RunOtherAsync("umount", [path], CancellationToken.None);
        }
        catch (ZfsException e)
        {
            output.Warn($"{path} is still mounted: {e.StandardError.Trim()}. To unmount it: umount '{path}'");
        }
    }

    private readonly record struct Step(string Path, bool IsMount);
}
