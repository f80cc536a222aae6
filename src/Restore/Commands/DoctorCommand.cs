using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>doctor</c>: says what a restore would lack, before the day on which it is needed.</summary>
internal static class DoctorCommand
{
    public static Verb Create()
    {
        var parent = new Argument<string>("dataset")
        {
            Description = "The dataset in which restores are to be made, such as tank/restores.",
        };
        var verb = new Verb(
            "doctor",
            "Check all that a restore needs: zfs and its permissions (with the exact 'zfs allow' line that is "
                + "missing), and the server. Changes nothing.",
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
                await LookAtZfsAsync(result, session.Settings.Zfs, dataset, cancellationToken);
                var list = await result.TryAsync("server", () =>
                    BackupList.FetchAsync(session.Server, cancellationToken)
                );
                if (list is not null)
                    result.Pass("server", $"{session.Settings.Server.ServerUrl} lists {list.Backups.Count} backups");
                return result.Report(session.Output.Json);
            }
        );
        return verb;
    }

    private static async Task LookAtZfsAsync(
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
                user.IsRoot ? "runs as root" : $"{user.Name} has all that it needs on {dataset}"
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
                "on Linux only root can mount a restored file system, whatever is delegated",
                $"Restore as {user.Name}; let root run 'zfs-restore mount', or 'zfs mount'."
            );
    }
}
