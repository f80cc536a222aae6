using ZfsSnapshotManager.Core.CommandLine;
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
        list.SetAction(parsed => List(new Output(parsed.GetValue(ProgramRunner.JsonOption))));
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
        show.SetAction(parsed =>
            Show(new Output(parsed.GetValue(ProgramRunner.JsonOption)), parsed.GetRequiredValue(name))
        );
        return show;
    }

    private static void List(Output output)
    {
        var shown = ClientsFile.Read(ServerSettings.Read().ClientsFile).Select(ListedClient.Of).ToList();
        output.Result(shown, ClientCommandsJson.Default.ListListedClient, text =>
        {
            if (shown.Count == 0)
                text.WriteLine("No clients. Add one: zfs-server client add NAME");
            else
                Table.Write(text, ["Client", "Enabled", "Quota", "Storage", "Rotation"], [.. shown.Select(Row)]);
        });
    }

    private static void Show(Output output, string id)
    {
        var file = ServerSettings.Read().ClientsFile;
        var client = ClientCommands.Find(ClientsFile.Read(file), id, file);
        output.Result(ListedClient.Of(client), ClientCommandsJson.Default.ListedClient, text =>
        {
            text.WriteLine($"client_id: {client.ClientId}");
            foreach (var (name, value) in ClientChanges.FieldsOf(client))
                text.WriteLine($"{name}: {value}");
        });
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
        ];
}
