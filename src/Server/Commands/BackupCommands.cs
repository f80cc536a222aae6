using System.CommandLine;
using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;

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
            CreateChange(
                "keep",
                "Keep a backup that was rotated and is to be deleted: it is pinned.",
                pinned: true,
                "is kept: it is pinned"
            ),
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
                .GetRequiredService<BackupCatalogue>()
                .ListAll(parsed.GetValue(client))
                .Select(AdministeredBackup.Of)
                .Where(backup =>
                    (!parsed.GetValue(expiring) || backup.Backup.ExpiresAt is not null)
                    && (!parsed.GetValue(pinned) || backup.Backup.Pinned)
                )
                .OrderBy(backup => backup.ClientId, StringComparer.Ordinal)
                .ThenBy(backup => backup.Backup.DatasetName, StringComparer.Ordinal)
                .ThenByDescending(backup => backup.Backup.ReceivedAt)
                .ThenByDescending(backup => backup.Backup.Timestamp)
                .ToList();
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
            var catalogue = services.GetRequiredService<BackupCatalogue>();
            var (client, backup) = Find(catalogue, parsed.GetRequiredValue(id));
            var all = catalogue.List(client);
            var bases = new BackupChains(all);
            var shown = new ShownBackup
            {
                ClientId = client,
                Backup = backup,
                Base = bases.BaseOf(backup)?.SnapshotId,
                ChainLength = bases.LengthOf(backup),
                Dependents =
                [
                    .. all.Where(other => bases.BaseOf(other)?.SnapshotId == backup.SnapshotId)
                        .Select(other => other.SnapshotId),
                ],
            };
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
            var catalogue = services.GetRequiredService<BackupCatalogue>();
            var (client, backup) = Find(catalogue, parsed.GetRequiredValue(id));
            if (!catalogue.Pin(client, backup.SnapshotId, pinned))
                throw NotFound(backup.SnapshotId);
            services
                .GetRequiredService<AuditLog>()
                .Write(
                    new AuditEvent
                    {
                        Event = pinned ? AuditEvents.BackupPinned : AuditEvents.BackupUnpinned,
                        Actor = AuditActor.Admin,
                        ClientId = client,
                        SnapshotId = backup.SnapshotId,
                    }
                );
            var changed = new AdministeredBackup
            {
                ClientId = client,
                Backup = catalogue.Find(client, backup.SnapshotId) ?? throw NotFound(backup.SnapshotId),
            };
            Output
                .Of(parsed)
                .Result(changed, BackupCommandsJson.Default.AdministeredBackup, text =>
                    text.WriteLine($"{backup.SnapshotId} {done}.")
                );
        });
        return verb;
    }

    private static Argument<string> NameArgument() =>
        new("backup") { Description = "The snapshot ID, as 'backup list' shows it, or dataset@snapshot." };

    private static ServiceProvider Open()
    {
        var services = CommandServices.Create(ServerSettings.Read());
        services.GetRequiredService<CatalogueDatabase>().RequireCurrent();
        return services;
    }

    /// <summary>A snapshot ID begins with its client's id; a snapshot may be any client's.</summary>
    private static (string ClientId, SnapshotInfo Backup) Find(BackupCatalogue catalogue, string name)
    {
        if (StorageKey.ClientIdOf(name) is { } client && catalogue.Find(client, name) is { } backup)
            return (client, backup);
        if (name.Contains('@', StringComparison.Ordinal))
        {
            var all = catalogue.ListAll(null);
            if (BackupName.Find(name, all.Select(listed => listed.Info)) is { } found)
                return (all.First(listed => ReferenceEquals(listed.Info, found)).ClientId, found);
        }

        throw NotFound(name);
    }

    private static OperationException NotFound(string id) =>
        new(ExitCode.NotFound, $"The backup {id} does not exist.", "'zfs-server backup list' shows all backups.");

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

/// <summary>A backup as shown to an administrator.</summary>
internal sealed record AdministeredBackup
{
    public required string ClientId { get; init; }

    public required SnapshotInfo Backup { get; init; }

    public static AdministeredBackup Of(ListedBackup listed) =>
        new() { ClientId = listed.ClientId, Backup = listed.Info };
}

internal sealed record ShownBackup
{
    public required string ClientId { get; init; }

    public required SnapshotInfo Backup { get; init; }

    /// <summary>Its base; omitted for a full backup.</summary>
    public required string? Base { get; init; }

    /// <summary>The number of backups from the full one to this one.</summary>
    public required int ChainLength { get; init; }

    /// <summary>The backups based on it.</summary>
    public required IReadOnlyList<string> Dependents { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(AdministeredBackup))]
[JsonSerializable(typeof(ShownBackup))]
internal sealed partial class BackupCommandsJson : JsonSerializerContext;
