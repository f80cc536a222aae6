using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Configuration;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>mount</c>: mounts a restored dataset on a directory.</summary>
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
            "Mount a restored dataset on a directory.",
            "zfs-restore mount tank/restored /mnt/restore"
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
        if (zfs.Remote is { } host)
            throw new OperationException(
                ExitCode.Conflict,
                $"The dataset is on {host.Destination} (ZFS_SSH_HOST), and cannot be mounted from here.",
                $"Mount it there: zfs set mountpoint={mountpoint} {dataset} && zfs mount {dataset}"
            );
        var path = Path.GetFullPath(mountpoint);
        await CheckAsync(zfs, dataset, path, cancellationToken);
        var made = !Directory.Exists(path);
        try
        {
            await zfs.RunAsync(["set", $"mountpoint={path}", dataset.Value], cancellationToken);
            await zfs.RunAsync(
                writable ? ["mount", dataset.Value] : ["mount", "-o", "ro", dataset.Value],
                cancellationToken
            );
        }
        catch (ZfsException)
        {
            if (made && Directory.Exists(path) && !Directory.EnumerateFileSystemEntries(path).Any())
                Directory.Delete(path);
            throw;
        }

        var result = new MountResult
        {
            Dataset = dataset.Value,
            Mountpoint = path,
            Writable = writable,
        };
        new Output(parsed.GetValue(ProgramRunner.JsonOption)).Result(result, RestoreJson.Default.MountResult, text =>
            text.WriteLine(
                $"Mounted {dataset} at {path}{(writable ? "" : ", read-only")}. When done: zfs unmount {dataset}"
            )
        );
    }

    private static async Task CheckAsync(
        ZfsHost zfs,
        DatasetName dataset,
        string path,
        CancellationToken cancellationToken
    )
    {
        if (File.Exists(path))
            throw new OperationException(ExitCode.Conflict, $"{path} is a file.", "Give a directory.");
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new OperationException(
                ExitCode.Conflict,
                $"{path} is not empty; its contents would be hidden.",
                "Give an empty directory, or one that does not exist yet."
            );
        var rows = await zfs.RunTableAsync(
            ["get", "-H", "-o", "value", "type,mounted,mountpoint", dataset.Value],
            cancellationToken
        );
        var values = rows.Select(row => row[0]).ToList();
        if (values[0] != "filesystem")
            throw new OperationException(
                ExitCode.Conflict,
                $"{dataset} is a {values[0]}, which has no files to mount.",
                $"A volume's blocks are at /dev/zvol/{dataset}."
            );
        if (values[1] == "yes")
            throw new OperationException(
                ExitCode.Conflict,
                $"{dataset} is already mounted at {values[2]}.",
                $"Use it there, or run 'zfs unmount {dataset}' first."
            );
    }
}
