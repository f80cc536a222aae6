using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
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
        add.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(Output.Of(parsed), parsed.GetRequiredValue(name), options.Read(parsed), cancellationToken)
        );
        return add;
    }

    private static Task<int> RunAsync(
        Output output,
        string id,
        ClientOptions.Values values,
        CancellationToken cancellationToken
    )
    {
        if (!ClientIdRule.IsValid(id))
            throw new OperationException(ExitCode.Usage, $"'{id}' is not a valid client id: {ClientIdRule.Text}.");
        return ClientCommands.ChangeAsync(
            output,
            clients => clients.Add(id, values.Apply),
            ClientCommandsJson.Default.AddedClient,
            Write,
            cancellationToken
        );
    }

    private static void Write(TextWriter text, AddedClient added, string use)
    {
        text.WriteLine($"Added client '{added.ClientId}' to {added.ClientsFile}. {use}");
        text.WriteLine("On the client's machine, add to .env or /etc/zfs-client.env:");
        text.WriteLine();
        text.WriteLine($"CLIENT_ID={added.ClientId}");
        text.WriteLine($"API_KEY={added.ApiKey}");
        text.WriteLine();
        text.WriteLine("The key is shown only now: the server stores only its hash.");
    }
}
