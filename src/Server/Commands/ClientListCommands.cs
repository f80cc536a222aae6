using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server client list</c> and <c>show</c>.</summary>
internal static class ClientListCommands
{
    public static CommandWithExamples CreateList()
    {
        var list = new CommandWithExamples(
            "list",
            "List the clients.",
            "zfs-server client list",
            "zfs-server client list --json"
        );
        list.SetAction(parsed => List(Output.Of(parsed)));
        return list;
    }

    public static CommandWithExamples CreateShow()
    {
        var name = ClientCommands.NameArgument();
        var show = new CommandWithExamples(
            "show",
            "Show one client.",
            "zfs-server client show web1",
            "zfs-server client show web1 --json"
        )
        {
            name,
        };
        show.SetAction(parsed => Show(Output.Of(parsed), parsed.GetRequiredValue(name)));
        return show;
    }

    private static void List(Output output)
    {
        var settings = ServerSettings.Read();
        var clients = ClientsFile.Read(settings.ClientsFile);
        var machines = FindMachines(output, settings, clients.Select(client => client.ClientId));
        var shown = clients
            .Select(client => ListedClient.Of(client, machines?.GetValueOrDefault(client.ClientId)))
            .ToList();
        output.Results(shown, ClientCommandsJson.Default.ListedClient, text =>
        {
            if (shown.Count == 0)
                text.WriteLine("No clients. Add one: zfs-server client add NAME");
            else
                Table.Write(
                    text,
                    ["Client", "Enabled", "Quota", "Storage", "Rotation", "Machines"],
                    [.. shown.Select(Row)]
                );
        });
    }

    private static void Show(Output output, string id)
    {
        var settings = ServerSettings.Read();
        var client = ClientCommands.Find(ClientsFile.Read(settings.ClientsFile), id, settings.ClientsFile);
        var machines = FindMachines(output, settings, [client.ClientId])?.GetValueOrDefault(client.ClientId);
        output.Result(ListedClient.Of(client, machines), ClientCommandsJson.Default.ListedClient, text =>
        {
            text.WriteLine($"client_id: {client.ClientId}");
            foreach (var (name, value) in ClientChanges.FieldsOf(client))
                text.WriteLine($"{name}: {value}");
            foreach (var machine in machines ?? [])
                text.WriteLine($"machine: {Describe(machine)}");
        });
    }

    private static string Describe(MachineInfo machine) =>
        $"{machine.MachineName} ({machine.MachineId}), last seen {Timestamps.ToSecond(machine.LastSeen)}"
        + (machine.RefusedDataset is { } dataset ? $"; not allowed to back up {dataset}, which is another's" : "");

    /// <summary>
    /// The catalogue only adds to what these commands show: they also work while it is damaged, or of a later version.
    /// </summary>
    /// <returns>By client; null if no server of this version has run here yet, or its catalogue cannot be
    /// read.</returns>
    private static Dictionary<string, IReadOnlyList<MachineInfo>>? FindMachines(
        Output output,
        ServerSettings settings,
        IEnumerable<string> clients
    )
    {
        using var services = CommandServices.Create(settings);
        var database = services.GetRequiredService<CatalogueDatabase>();
        try
        {
            if (!File.Exists(database.Path) || database.Inspect() != CatalogueDatabase.CurrentVersion)
                return null;
            var machines = services.GetRequiredService<MachineCatalogue>();
            return clients.ToDictionary(id => id, machines.List, StringComparer.Ordinal);
        }
        catch (OperationException e)
        {
            output.Warn($"The clients' machines are not shown. {e.Message} {e.Remedy}".TrimEnd());
        }
        catch (SqliteException e)
        {
            output.Warn(
                $"The clients' machines are not shown. The catalogue {database.Path} cannot be read: {e.Message}. "
                    + "See 'zfs-server catalogue check'."
            );
        }

        return null;
    }

    private static string[] Row(ListedClient client) =>
        [
            client.ClientId,
            client.Enabled ? "yes" : "no",
            client.MaxSizeBytes == 0 ? "none" : ByteSize.Format(client.MaxSizeBytes),
            client.StorageType,
            client.RotationPolicy is { } p
                ? $"{p.KeepHourly}h {p.KeepDaily}d {p.KeepWeekly}w {p.KeepMonthly}m"
                : "the client's own",
            string.Join(", ", client.Machines?.Select(machine => machine.MachineName) ?? []),
        ];
}
