using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Clients;

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

    private static void List(Output output) =>
        ClientCommands.Run(clients =>
        {
            var (shown, fault) = clients.List();
            WarnOf(output, fault);
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
        });

    private static void Show(Output output, string id) =>
        ClientCommands.Run(clients =>
        {
            var (shown, fault) = clients.Show(id);
            WarnOf(output, fault);
            output.Result(shown, ClientCommandsJson.Default.ListedClient, text =>
            {
                text.WriteLine($"client_id: {shown.ClientId}");
                foreach (var (name, value) in ClientChanges.FieldsOf(clients.Find(id)))
                    text.WriteLine($"{name}: {value}");
                foreach (var machine in shown.Machines ?? [])
                    text.WriteLine($"machine: {Describe(machine)}");
            });
        });

    private static void WarnOf(Output output, string? machinesFault)
    {
        if (machinesFault is not null)
            output.Warn($"The clients' machines are not shown. {machinesFault}");
    }

    private static string Describe(MachineInfo machine) =>
        $"{machine.MachineName} ({machine.MachineId}), last seen {Timestamps.ToSecond(machine.LastSeen)}"
        + (machine.RefusedDataset is { } dataset ? $"; not allowed to back up {dataset}, which is another's" : "");

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
