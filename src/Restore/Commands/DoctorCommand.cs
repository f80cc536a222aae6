using System.CommandLine;
using System.Globalization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>doctor</c>: checks everything that a restore needs.</summary>
internal static class DoctorCommand
{
    public static CommandWithExamples Create()
    {
        var parent = new Argument<string>("dataset")
        {
            Description = "Dataset below which restores will be created, such as tank/restores.",
        };
        var verb = new CommandWithExamples(
            "doctor",
            "Check everything that a restore needs: zfs, its permissions and the server. For each problem, print the "
                + "command that fixes it. Changes nothing.",
            "zfs-restore doctor tank/restores"
        )
        {
            parent,
            ProgramRunner.QuietOption,
        };
        verb.SetAction(
            async (parsed, cancellationToken) =>
            {
                if (!DatasetName.TryParse(parsed.GetRequiredValue(parent), out var dataset, out var fault))
                    throw new OperationException(
                        ExitCode.Usage,
                        $"'{parsed.GetRequiredValue(parent)}' is not a dataset name: {fault}."
                    );
                using var session = RestoreSession.Open(parsed);
                var result = new Diagnosis();
                await CheckZfsAsync(result, session.Settings.Zfs, dataset, cancellationToken);
                var list = await result.TryAsync("server", () =>
                    BackupList.FetchNowAsync(session.Server, cancellationToken)
                );
                if (list is not null)
                {
                    result.Pass("server", $"{session.Settings.Server.ServerUrl} lists {list.Backups.Count} backups");
                    await CheckRoomAsync(result, session.Settings.Zfs, dataset, list, cancellationToken);
                }

                return result.Report(session.Output);
            }
        );
        return verb;
    }

    /// <summary>A raw backup needs no key to be received. Any other may need that of the dataset.</summary>
    private static async Task CheckKeyAsync(
        Diagnosis result,
        ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        var encryption = await result.TryAsync("encryption", () => zfs.GetEncryptionAsync(dataset, cancellationToken));
        if (encryption is null or { IsOff: true })
            return;
        if (encryption.IsKeyLoaded)
            result.Pass("encryption", $"{dataset} is encrypted, and the key of {encryption.Root} is loaded");
        else
            result.Warn(
                "encryption",
                $"the key of {encryption.Root} is not loaded: backups that are to be encrypted with it cannot be "
                    + "restored below it; raw and unencrypted ones can",
                $"zfs load-key {encryption.Root}"
            );
    }

    private static async Task CheckRoomAsync(
        Diagnosis result,
        ZfsHost zfs,
        DatasetName dataset,
        BackupList list,
        CancellationToken cancellationToken
    )
    {
        var room = await result.TryAsync("room", async () =>
        {
            var rows = await zfs.RunTableAsync(
                ["get", "-H", "-p", "-o", "value", "available", dataset.Value],
                cancellationToken
            );
            return RestoreRoom.Estimate(long.Parse(rows.Single()[0], CultureInfo.InvariantCulture), list);
        });
        if (room is null)
            return;
        if (room.TooLarge.Count == 0)
            result.Pass("room", room.Describe(dataset));
        else
            result.Warn(
                "room",
                room.Describe(dataset),
                "Free space in the pool or raise the quota (zfs get -r quota,refquota), or restore elsewhere. A "
                    + "restore that meets a full pool keeps what it received and can be resumed."
            );
    }

    private static async Task CheckZfsAsync(
        Diagnosis result,
        ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        if (await result.TryAsync("zfs", () => zfs.GetVersionAsync(cancellationToken)) is not { } version)
            return;
        result.Pass("zfs", version);
        if (await ZpoolProperty.IsReadOnlyAsync(zfs, dataset.Pool, cancellationToken))
            result.Fail(
                "pool",
                $"{dataset.Pool} is imported read-only: nothing can be restored to it",
                $"Import it for writing: zpool export {dataset.Pool} && zpool import {dataset.Pool}",
                ExitCode.Zfs
            );
        if (await result.TryAsync("permissions", () => ZfsUser.GetAsync(zfs, cancellationToken)) is not { } user)
            return;
        var missing = await result.TryAsync("permissions", () =>
            ZfsDelegation.FindMissingAsync(zfs, dataset, user, ZfsDelegation.ForRestore, cancellationToken)
        );
        if (missing is { Count: 0 })
            result.Pass(
                "permissions",
                user.IsRoot ? "runs as root" : $"{user.Name} has every permission it needs on {dataset}"
            );
        else if (missing is not null)
            result.Fail(
                "permissions",
                $"{user.Name} lacks {string.Join(", ", missing)} on {dataset}",
                $"Let root run: {ZfsDelegation.AllowLine(user.Name, missing, dataset)}",
                ExitCode.Zfs
            );
        await CheckKeyAsync(result, zfs, dataset, cancellationToken);
        if (!user.IsRoot)
            result.Warn(
                "mount",
                "on Linux, only root can mount a restored file system, regardless of delegation",
                $"Restore as {user.Name}; let root run 'zfs-restore mount', or 'zfs mount'."
            );
    }
}
