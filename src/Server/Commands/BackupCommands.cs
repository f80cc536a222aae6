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
/// <c>zfs-server backup …</c>: shows backups, and says which of them rotation leaves alone. The server may run
/// meanwhile.
/// </summary>
internal static class BackupCommands
{
    public static CommandWithExamples Create() =>
        new("backup", "Show backups, and say which of them rotation leaves alone.")
        {
            CreateList(),
            CreateShow(),
            CreateChange(
                "pin",
                "Pin a backup: no rotation and no lack of space deletes it, nor what it is restored upon.",
                pinned: true,
                "is pinned"
            ),
            CreateChange(
                "unpin",
                "End that: rotation decides on the backup again.",
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
            Description = "Only those that were rotated and are to be deleted.",
        };
        var pinned = new Option<bool>("--pinned") { Description = "Only those that are pinned." };
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
                .ThenByDescending(backup => backup.Backup.Timestamp)
                .ToList();
            new Output(parsed.GetValue(ProgramRunner.JsonOption)).Result(
                found,
                BackupCommandsJson.Default.ListAdministeredBackup,
                text =>
                {
                    if (found.Count == 0)
                        text.WriteLine("There are no such backups.");
                    else
                        Table.Write(
                            text,
                            ["Snapshot ID", "Dataset", "Type", "Kind", "Timestamp", "Size", "State", "Stored as"],
                            [.. found.Select(backup => Row(backup.Backup))]
                        );
                }
            );
        });
        return list;
    }

    private static CommandWithExamples CreateShow()
    {
        var id = new Argument<string>("snapshot-id") { Description = "As 'backup list' shows it." };
        var show = new CommandWithExamples(
            "show",
            "Show one backup: its chain, what depends on it, and whether rotation leaves it alone.",
            "zfs-server backup show web1/tank_data_2026-02-13_14:30:00"
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
            new Output(parsed.GetValue(ProgramRunner.JsonOption)).Result(
                shown,
                BackupCommandsJson.Default.ShownBackup,
                text => Write(text, shown)
            );
        });
        return show;
    }

    private static CommandWithExamples CreateChange(string name, string description, bool pinned, string done)
    {
        var id = new Argument<string>("snapshot-id") { Description = "As 'backup list' shows it." };
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
            new Output(parsed.GetValue(ProgramRunner.JsonOption)).Result(
                changed,
                BackupCommandsJson.Default.AdministeredBackup,
                text => text.WriteLine($"{backup.SnapshotId} {done}.")
            );
        });
        return verb;
    }

    private static ServiceProvider Open()
    {
        var services = CommandServices.Create(ServerSettings.Read());
        services.GetRequiredService<CatalogueDatabase>().RequireCurrent();
        return services;
    }

    /// <summary>An id begins with its client's name.</summary>
    private static (string ClientId, SnapshotInfo Backup) Find(BackupCatalogue catalogue, string id) =>
        BackupKey.ClientIdOf(id) is { } client && catalogue.Find(client, id) is { } backup
            ? (client, backup)
            : throw NotFound(id);

    private static OperationException NotFound(string id) =>
        new(ExitCode.NotFound, $"There is no backup {id}.", "'zfs-server backup list' shows what there is.");

    private static string[] Row(SnapshotInfo backup) =>
        [
            backup.SnapshotId,
            backup.DatasetName,
            backup.SnapshotType.ToText(),
            backup.IsIncremental ? "incremental" : "full",
            Timestamps.ToSecond(backup.Timestamp),
            ByteSize.Format(backup.SizeBytes),
            State(backup),
            Place(backup),
        ];

    /// <summary>The object's key, or the snapshot's name.</summary>
    private static string Place(SnapshotInfo backup) => backup.IsLocal ? $"zfs {backup.StorageKey}" : backup.StorageKey;

    private static string State(SnapshotInfo backup) =>
        backup.Pinned ? "pinned"
        : backup.ExpiresAt is { } expires ? $"expiring {Timestamps.ToSecond(expires)}"
        : "";

    private static void Write(TextWriter text, ShownBackup shown)
    {
        var backup = shown.Backup;
        text.WriteLine($"Snapshot ID:  {backup.SnapshotId}");
        text.WriteLine($"Client:       {shown.ClientId}");
        text.WriteLine(
            $"Snapshot:     {backup.DatasetName}@{backup.SnapshotName} (GUID {backup.SnapshotGuid}, "
                + $"{backup.SnapshotType.ToText()})"
        );
        text.WriteLine(
            $"Made:         {Timestamps.ToSecond(backup.Timestamp)}, received {Timestamps.ToSecond(backup.ReceivedAt)}"
        );
        text.WriteLine(
            $"Stored:       {ByteSize.Format(backup.SizeBytes)} of {ByteSize.Format(backup.StreamBytes)}, "
                + $"{backup.Compression}, {(backup.IsLocal ? "in ZFS as" : "as")} {backup.StorageKey}"
        );
        text.WriteLine(
            $"Chain:        {shown.ChainLength} "
                + $"long{(shown.Base is null ? ", it is a full backup" : $", upon {shown.Base}")}"
        );
        text.WriteLine(
            $"Built on it:  {(shown.Dependents.Count == 0 ? "nothing" : string.Join(", ", shown.Dependents))}"
        );
        text.WriteLine(
            "State:        "
                + $"{(State(backup) is { Length: > 0 } state ? state : "listed")}{(backup.LockedUntil is { } locked ? $", locked until {Timestamps.ToSecond(locked)}" : "")}"
        );
    }
}

/// <summary>A backup as an administrator sees it.</summary>
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

    /// <summary>What it is restored upon; left out for a full one.</summary>
    public required string? Base { get; init; }

    /// <summary>Backups from the full one to this one.</summary>
    public required int ChainLength { get; init; }

    /// <summary>What is restored upon it.</summary>
    public required IReadOnlyList<string> Dependents { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(List<AdministeredBackup>))]
[JsonSerializable(typeof(ShownBackup))]
internal sealed partial class BackupCommandsJson : JsonSerializerContext;
