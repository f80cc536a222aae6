using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Doctor;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary>
/// <c>zfs-server backup …</c>: shows backups, and pins those that rotation must keep. The server may run meanwhile.
/// </summary>
internal static class BackupCommands
{
    public static CommandWithExamples Create() =>
        new("backup", "Show backups, and pin those that rotation must keep.")
        {
            CreateList(),
            CreateShow(),
            CreateChange(
                "pin",
                "Pin a backup: neither rotation nor lack of space deletes it or the backups that it depends on.",
                pinned: true,
                "is pinned"
            ),
            CreateChange(
                "unpin",
                "Unpin a backup: rotation decides on it again.",
                pinned: false,
                "is no longer pinned"
            ),
            BackupKeepCommand.Create(),
        };

    private static CommandWithExamples CreateList()
    {
        var client = new Option<string>("--client")
        {
            Description = "Only this client's backups.",
            HelpName = "client-id",
        };
        var expiring = new Option<bool>("--expiring")
        {
            Description = "Only backups that were rotated and are to be deleted.",
        };
        var pinned = new Option<bool>("--pinned") { Description = "Only pinned backups." };
        var list = new CommandWithExamples(
            "list",
            "List the backups of all clients, the newest first.",
            "zfs-server backup list --client web1",
            "zfs-server backup list --expiring --json"
        )
        {
            client,
            expiring,
            pinned,
        };
        list.SetAction(parsed =>
        {
            using var services = Open();
            var found = services
                .GetRequiredService<BackupAdministration>()
                .List(parsed.GetValue(client), parsed.GetValue(expiring), parsed.GetValue(pinned));
            Output
                .Of(parsed)
                .Results(found, BackupCommandsJson.Default.AdministeredBackup, text =>
                {
                    if (found.Count == 0)
                        text.WriteLine("No such backups.");
                    else
                        Table.Write(
                            text,
                            ["Snapshot ID", "Dataset", "Type", "Kind", "Timestamp", "Size", "State", "Stored as"],
                            [.. found.Select(backup => Row(backup.Backup))]
                        );
                });
        });
        return list;
    }

    private static CommandWithExamples CreateShow()
    {
        var id = NameArgument();
        var show = new CommandWithExamples(
            "show",
            "Show one backup: its chain, the backups that depend on it, and whether it is pinned or expiring.",
            "zfs-server backup show web1/tank_data_2026-02-13_14:30:00",
            "zfs-server backup show tank/data@zsm-manual-2026-02-13_14:30:00Z"
        )
        {
            id,
        };
        show.SetAction(parsed =>
        {
            using var services = Open();
            var shown = services.GetRequiredService<BackupAdministration>().Show(parsed.GetRequiredValue(id));
            Output.Of(parsed).Result(shown, BackupCommandsJson.Default.ShownBackup, text => Write(text, shown));
        });
        return show;
    }

    private static CommandWithExamples CreateChange(string name, string description, bool pinned, string done)
    {
        var id = NameArgument();
        var verb = new CommandWithExamples(
            name,
            description,
            $"zfs-server backup {name} web1/tank_data_2026-02-13_14:30:00"
        )
        {
            id,
        };
        verb.SetAction(parsed =>
        {
            using var services = Open();
            var changed = services
                .GetRequiredService<BackupAdministration>()
                .SetPinned(parsed.GetRequiredValue(id), pinned);
            Deliver(services);
            Output
                .Of(parsed)
                .Result(changed, BackupCommandsJson.Default.AdministeredBackup, text =>
                    text.WriteLine($"{changed.Backup.SnapshotId} {done}.")
                );
        });
        return verb;
    }

    public static Argument<string> NameArgument() =>
        new("backup") { Description = "The snapshot ID, as 'backup list' shows it, or dataset@snapshot." };

    public static ServiceProvider Open()
    {
        var services = CommandServices.Create(ServerSettings.Read());
        services.GetRequiredService<CatalogueDatabase>().RequireCurrent();
        return services;
    }

    /// <summary>Writes the events of a change to the audit log, unless a running server does it.</summary>
    public static void Deliver(IServiceProvider services)
    {
        if (!RunningServer.Exists(services.GetRequiredService<ServerSettings>()))
            services.GetRequiredService<EventDelivery>().Run();
    }

    private static string[] Row(SnapshotInfo backup) =>
        [
            backup.SnapshotId,
            backup.DatasetName,
            backup.SnapshotType.ToText(),
            backup.IsIncremental ? "incremental" : "full",
            Timestamps.ToSecond(backup.Timestamp) + (BackupOrder.IsAhead(backup) ? " !" : ""),
            ByteSize.Format(backup.SizeBytes),
            State(backup),
            Location(backup),
        ];

    /// <summary>The object's key, or the snapshot's name.</summary>
    private static string Location(SnapshotInfo backup) =>
        backup.IsLocal ? $"zfs {backup.StorageKey}" : backup.StorageKey;

    private static string State(SnapshotInfo backup)
    {
        if (backup.Pinned)
            return "pinned";
        return backup.ExpiresAt is { } expires ? $"expiring {Timestamps.ToSecond(expires)}" : "";
    }

    private static void Write(TextWriter output, ShownBackup shown)
    {
        var backup = shown.Backup;
        output.WriteLine($"Snapshot ID:  {backup.SnapshotId}");
        output.WriteLine($"Client:       {shown.ClientId}");
        output.WriteLine(
            $"Snapshot:     {backup.DatasetName}@{backup.SnapshotName} (GUID {backup.SnapshotGuid}, "
                + $"{backup.SnapshotType.ToText()})"
        );
        output.WriteLine(
            $"Made:         {Timestamps.ToSecond(backup.Timestamp)}, received {Timestamps.ToSecond(backup.ReceivedAt)}"
                + (BackupOrder.IsAhead(backup) ? " (a clock was wrong)" : "")
        );
        output.WriteLine(
            $"Stored:       {ByteSize.Format(backup.SizeBytes)} of {ByteSize.Format(backup.StreamBytes)}, "
                + $"{backup.Compression}, {(backup.IsLocal ? "in ZFS as" : "as")} {backup.StorageKey}"
        );
        output.WriteLine(
            $"Chain:        {shown.ChainLength} "
                + $"long{(shown.Base is null ? ", it is a full backup" : $", based on {shown.Base}")}"
        );
        output.WriteLine(
            $"Built on it:  {(shown.Dependents.Count == 0 ? "nothing" : string.Join(", ", shown.Dependents))}"
        );
        var state = State(backup) is { Length: > 0 } text ? text : "listed";
        var locked = backup.LockedUntil is { } until ? $", locked until {Timestamps.ToSecond(until)}" : "";
        output.WriteLine($"State:        {state}{locked}");
    }
}
