using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.Configuration;
using ZfsSnapshotManager.Restore.Mounting;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>mount</c>: mounts a restored dataset and those below it on a directory.</summary>
internal static class MountCommand
{
    public static CommandWithExamples Create()
    {
        var dataset = new Argument<string>("dataset") { Description = "Dataset to mount." };
        var mountpoint = new Argument<string>("mountpoint")
        {
            Description = "Empty directory, or one that does not exist yet.",
        };
        var writable = new Option<bool>("--writable")
        {
            Description = "Mount it read-write (default: read-only, so that later incrementals can still be received).",
        };
        var verb = new CommandWithExamples(
            "mount",
            "Mount a restored dataset, and the datasets below it, on a directory. No property is changed.",
            "zfs-restore mount tank/restored /mnt/restore",
            "umount -R /mnt/restore"
        )
        {
            dataset,
            mountpoint,
            writable,
        };
        verb.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(
                    parsed,
                    parsed.GetRequiredValue(dataset),
                    parsed.GetRequiredValue(mountpoint),
                    parsed.GetValue(writable),
                    cancellationToken
                )
        );
        return verb;
    }

    private static async Task RunAsync(
        ParseResult parsed,
        string datasetText,
        string mountpoint,
        bool writable,
        CancellationToken cancellationToken
    )
    {
        if (!DatasetName.TryParse(datasetText, out var dataset, out var fault))
            throw new OperationException(ExitCode.Usage, $"'{datasetText}' is not a dataset name: {fault}.");
        var zfs = RestoreSettings.ReadZfsHost();
        var path = Path.GetFullPath(mountpoint);
        if (zfs.Remote is { } host)
            throw new OperationException(
                ExitCode.Conflict,
                $"The dataset is on {host.Destination} (ZFS_SSH_HOST), and cannot be mounted from here.",
                $"Mount it there: zfs-restore mount {dataset} {mountpoint}, or: mkdir -p {mountpoint} && mount -t zfs "
                    + $"-o zfsutil,ro {dataset} {mountpoint}"
            );
        CheckDirectory(path);
        var datasets = await MountableDataset.ListTreeAsync(zfs, dataset, cancellationToken);
        CheckDataset(datasets[0]);
        var output = Output.Of(parsed);
        var children = await new MountedTree(zfs, output, path, writable).MountAsync(datasets, cancellationToken);
        var result = new MountResult
        {
            Dataset = dataset.Value,
            Mountpoint = path,
            Writable = writable,
            Children = children,
        };
        foreach (var child in children.Where(child => child.Reason is not null))
            output.Warn($"{child.Dataset} is not mounted: {child.Reason}.");
        output.Result(result, RestoreJson.Default.MountResult, text => Write(text, result, datasets[0]));
    }

    private static void Write(TextWriter text, MountResult result, MountableDataset top)
    {
        var mounted = result.Children.Count(child => child.Reason is null);
        var below = result.Children.Count switch
        {
            0 => "",
            var all when all == mounted => $", with all {all} datasets below it",
            var all => $", with {mounted} of the {all} datasets below it",
        };
        var access = result.Writable ? "" : ", read-only";
        text.WriteLine($"Mounted {result.Dataset} at {result.Mountpoint}{access}{below}.");
        text.WriteLine($"No property was changed. When done: {UnmountCommand(result, mounted > 0, top.IsLegacy)}");
    }

    private static string UnmountCommand(MountResult result, bool isTree, bool isLegacy)
    {
        if (isTree)
            return $"umount -R '{result.Mountpoint}'";
        return isLegacy ? $"umount '{result.Mountpoint}'" : $"zfs unmount '{result.Dataset}'";
    }

    private static void CheckDirectory(string path)
    {
        if (File.Exists(path))
            throw new OperationException(ExitCode.Conflict, $"{path} is a file.", "Give a directory.");
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new OperationException(
                ExitCode.Conflict,
                $"{path} is not empty; its contents would be hidden.",
                "Give an empty directory, or one that does not exist yet."
            );
    }

    private static void CheckDataset(MountableDataset dataset)
    {
        if (dataset.IsVolume)
            throw new OperationException(
                ExitCode.Conflict,
                $"{dataset.Name} is a volume, which has no files to mount.",
                $"A volume's blocks are at /dev/zvol/{dataset.Name}."
            );
        var place = MountTable.FindDirectory(dataset.Name.Value) ?? "another place";
        if (dataset.IsMounted)
            throw new OperationException(
                ExitCode.Conflict,
                $"{dataset.Name} is already mounted at {place}.",
                $"Use it there, or run 'zfs unmount {dataset.Name}' first."
            );
        if (dataset.IsLocked)
            throw new OperationException(
                ExitCode.Conflict,
                $"The key of {dataset.Name} is not loaded.",
                $"Load it: zfs load-key {dataset.Name}"
            );
    }
}
