using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server client add</c>.</summary>
internal static class ClientAddCommand
{
    public static CommandWithExamples Create()
    {
        var name = new Argument<string>("client-id")
        {
            Description = "The client's id: letters, digits, '-', '_' and '.'.",
        };
        var options = new ClientOptions();
        var add = new CommandWithExamples(
            "add",
            "Add a client and print its key, once.",
            "zfs-server client add web1",
            "zfs-server client add web1 --max-size 500G --keep-daily 30"
        )
        {
            name,
        };
        options.AddTo(add);
        add.SetAction(parsed => Run(Output.Of(parsed), parsed.GetRequiredValue(name), options.Read(parsed)));
        return add;
    }

    private static ClientEntry[] Add(IReadOnlyList<ClientEntry> clients, ClientEntry client, string file)
    {
        var id = client.ClientId;
        var existing = clients.FirstOrDefault(c => c.ClientId.Equals(id, StringComparison.OrdinalIgnoreCase));
        if (existing is null)
            return [.. clients, client];
        var inOtherCase = existing.ClientId == id ? "" : $" as '{existing.ClientId}': case makes no difference";
        throw new OperationException(
            ExitCode.Conflict,
            $"The client '{id}' already exists in {file}{inOtherCase}.",
            $"To replace its key: zfs-server client rotate-key {existing.ClientId}. Otherwise choose another id."
        );
    }

    private static void Run(Output output, string id, ClientOptions.Values values)
    {
        if (!ClientIdRule.IsValid(id))
            throw new OperationException(ExitCode.Usage, $"'{id}' is not a valid client id: {ClientIdRule.Text}.");
        var settings = ServerSettings.Read();
        var key = ApiKey.Generate();
        var client = values.Apply(new ClientEntry { ClientId = id, ApiKey = ApiKey.Hash(key) });
        // A client with a dataset may use local storage, so it gets one only if local storage is set up or requested.
        if (client.Dataset is null && (settings.HasBaseDataset || client.StorageType == StorageTypes.Local))
            client = client with { Dataset = $"{settings.BaseDataset}/{id}" };
        ClientsFile.Change(settings.ClientsFile, clients => Add(clients, client, settings.ClientsFile));
        ClientCommands.Note(settings, AuditEvents.ClientAdded, id, ClientChanges.FieldsOf(client));
        output.Result(
            new AddedClient
            {
                ClientId = id,
                ApiKey = key,
                ClientsFile = settings.ClientsFile,
            },
            ClientCommandsJson.Default.AddedClient,
            text =>
            {
                text.WriteLine($"Added client '{id}' to {settings.ClientsFile}. A running server uses it at once.");
                text.WriteLine("On the client's machine, add to .env or /etc/zfs-client.env:");
                text.WriteLine();
                text.WriteLine($"CLIENT_ID={id}");
                text.WriteLine($"API_KEY={key}");
                text.WriteLine();
                text.WriteLine("The key is shown only now: the server stores only its hash.");
            }
        );
    }
}
