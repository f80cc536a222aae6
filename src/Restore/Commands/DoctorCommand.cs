using System.CommandLine;
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
                    result.Pass("server", $"{session.Settings.Server.ServerUrl} lists {list.Backups.Count} backups");
                return result.Report(session.Output.Json);
            }
        );
        return verb;
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
        if (!user.IsRoot)
            result.Warn(
                "mount",
                "on Linux, only root can mount a restored file system, regardless of delegation",
                $"Restore as {user.Name}; let root run 'zfs-restore mount', or 'zfs mount'."
            );
    }
}
