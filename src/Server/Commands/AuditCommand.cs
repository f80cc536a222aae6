using System.CommandLine;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server audit</c>: shows the audit log.</summary>
internal static class AuditCommand
{
    private const int DefaultLimit = 100;

    public static CommandWithExamples Create()
    {
        var client = new Option<string>("--client")
        {
            Description = "Only this client's events.",
            HelpName = "client-id",
        };
        var name = new Option<string>("--event")
        {
            Description = "Only this event, such as auth.failed, or all of a kind, such as client.",
            HelpName = "event",
        };
        var since = new Option<string>("--since")
        {
            Description = "Only events since then: 2026-01-31, or 24h or 7d ago.",
            HelpName = "time",
        };
        var limit = new Option<int>("--limit")
        {
            Description = $"Number of events to show, the newest ones (default: {DefaultLimit}).",
            HelpName = "n",
            DefaultValueFactory = _ => DefaultLimit,
        };
        var audit = new CommandWithExamples(
            "audit",
            "Show who did what: changed clients, stored and deleted backups, failed authentications. The newest is "
                + "last.",
            "zfs-server audit",
            "zfs-server audit --event auth.failed --since 24h",
            "zfs-server audit --client web1 --since 2026-01-31 --limit 1000 --json"
        )
        {
            client,
            name,
            since,
            limit,
        };
        audit.SetAction(parsed =>
            Run(
                Output.Of(parsed),
                new AuditQuery
                {
                    ClientId = parsed.GetValue(client),
                    Event = parsed.GetValue(name),
                    Since = parsed.GetValue(since) is { } text
                        ? ClientCommands.Parse<DateTimeOffset?>("--since", text, time =>
                            Moment.Parse(time, TimeProvider.System.GetUtcNow())
                        )
                        : null,
                    Limit = parsed.GetValue(limit) is > 0 and var most
                        ? most
                        : throw new OperationException(ExitCode.Usage, "--limit: it must be 1 or more."),
                }
            )
        );
        return audit;
    }

    private static void Run(Output output, AuditQuery query)
    {
        var settings = ServerSettings.Read();
        using var services = CommandServices.Create(settings);
        var undelivered = ReadOutbox(services.GetRequiredService<CatalogueDatabase>()); // first: they are moved
        var (events, broken) = query.Run(
            [AuditLog.PathIn(settings, AuditLog.FileName), AuditLog.PathIn(settings, AuditLog.FailuresName)],
            undelivered
        );
        if (broken > 0)
            output.Warn($"{broken} {(broken == 1 ? "line is" : "lines are")} damaged and left out.");
        output.Results(events, EventJson.Default.ServerEvent, text =>
        {
            if (events.Count == 0)
                text.WriteLine("No such events.");
            else
                Table.Write(
                    text,
                    ["Time", "Event", "Client", "By", "Address", "Backup", "Details"],
                    [.. events.Select(Row)]
                );
        });
    }

    /// <summary>The audit log is shown also without a catalogue that can be read.</summary>
    private static IEnumerable<ServerEvent> ReadOutbox(CatalogueDatabase database)
    {
        try
        {
            if (File.Exists(database.Path) && database.Inspect() == CatalogueDatabase.CurrentVersion)
                return [.. database.Outbox.List(-1).Select(entry => entry.Event).OfType<ServerEvent>()];
        }
        catch (Exception e) when (e is OperationException or SqliteException)
        {
            CommandWarnings.Add($"Events that are not in the audit log yet are not shown: {e.Message}", Console.Error);
        }

        return [];
    }

    private static string[] Row(ServerEvent e) =>
        [
            Timestamps.ToSecond(e.Time),
            e.Event,
            e.ClientId ?? "",
            e.Actor switch
            {
                EventActor.Admin => "admin",
                EventActor.Server => "server",
                _ => "client",
            },
            e.Address ?? "",
            e.SnapshotId ?? "",
            string.Join(
                ", ",
                (e.Details ?? new Dictionary<string, string>(StringComparer.Ordinal)).Select(detail =>
                    $"{detail.Key}: {detail.Value}"
                )
            ),
        ];
}
