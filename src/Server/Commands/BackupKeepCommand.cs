using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Backups;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary>
/// <c>zfs-server backup keep</c>: pins a backup that is to be deleted, or all such backups of a client.
/// </summary>
internal static class BackupKeepCommand
{
    public static CommandWithExamples Create()
    {
        var id = BackupCommands.NameArgument();
        id.Arity = ArgumentArity.ZeroOrOne;
        var client = new Option<string>("--client")
        {
            Description = "With --expiring: keep all backups of this client that are to be deleted.",
            HelpName = "client-id",
        };
        var expiring = new Option<bool>("--expiring") { Description = "See --client." };
        var keep = new CommandWithExamples(
            "keep",
            "Keep a backup that was rotated and is to be deleted: it is pinned. With --client and --expiring, keep all "
                + "of them of one client.",
            "zfs-server backup keep web1/tank_data_2026-02-13_14:30:00",
            "zfs-server backup keep --client web1 --expiring"
        )
        {
            id,
            client,
            expiring,
        };
        keep.SetAction(parsed =>
        {
            var chosen = parsed.GetValue(client);
            if (chosen is not null != parsed.GetValue(expiring) || chosen is null == parsed.GetValue(id) is null)
                throw new OperationException(
                    ExitCode.Usage,
                    "Either one backup is kept, or those of one client that are to be deleted.",
                    "Give the backup's snapshot ID, or --client ID and --expiring."
                );
            Run(Output.Of(parsed), parsed.GetValue(id), chosen);
        });
        return keep;
    }

    private static void Run(Output output, string? name, string? client)
    {
        using var services = BackupCommands.Open();
        var backups = services.GetRequiredService<BackupAdministration>();
        var kept = client is null ? [backups.SetPinned(name!, pinned: true)] : backups.KeepExpiring(client);
        BackupCommands.Deliver(services);
        output.Results(kept, BackupCommandsJson.Default.AdministeredBackup, text =>
        {
            foreach (var backup in kept)
                text.WriteLine($"{backup.Backup.SnapshotId} is kept: it is pinned.");
            if (kept.Count == 0)
                text.WriteLine($"No backup of {client} is to be deleted.");
        });
    }
}
