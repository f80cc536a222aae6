using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server client …</c>: edits clients.json.</summary>
internal static class ClientCommands
{
    public static CommandWithExamples Create() =>
        new("client", "Manage the clients that may store backups here.")
        {
            ClientAddCommand.Create(),
            ClientListCommands.CreateList(),
            ClientListCommands.CreateShow(),
            ClientSetCommands.CreateSet(),
            ClientKeyCommand.Create(),
            ClientSetCommands.CreateDisable(),
            ClientSetCommands.CreateEnable(),
            ClientRemoveCommand.Create(),
        };

    public static Argument<string> NameArgument() => new("client-id") { Description = "The client's id." };

    public static ClientEntry Find(IReadOnlyList<ClientEntry> clients, string id, string file) =>
        clients.FirstOrDefault(client => client.ClientId == id)
        ?? throw new OperationException(
            ExitCode.NotFound,
            $"The client '{id}' does not exist in {file}.",
            "'zfs-server client list' shows the clients."
        );

    /// <summary>Changes one client in the file; the others stay unchanged.</summary>
    public static (ClientEntry Before, ClientEntry After) Edit(
        string file,
        string id,
        Func<ClientEntry, ClientEntry> edit
    )
    {
        ClientEntry? before = null,
            after = null;
        ClientsFile.Change(file, clients =>
        {
            (before, after) = (Find(clients, id, file), edit(Find(clients, id, file)));
            return [.. clients.Select(client => client.ClientId == id ? after : client)];
        });
        return (before!, after!);
    }

    /// <summary>Records in the audit log what an administrator did to a client.</summary>
    public static void Note(
        ServerSettings settings,
        string name,
        string id,
        IEnumerable<(string Name, string Value)> details
    )
    {
        using var services = CommandServices.Create(settings);
        services
            .GetRequiredService<AuditLog>()
            .Write(
                new AuditEvent
                {
                    Event = name,
                    Actor = AuditActor.Admin,
                    ClientId = id,
                    Details = details.ToDictionary(
                        detail => detail.Name,
                        detail => detail.Value,
                        StringComparer.Ordinal
                    ),
                }
            );
    }

    public static T Parse<T>(string option, string text, Func<string, T> parse)
    {
        try
        {
            return parse(text);
        }
        catch (FormatException e)
        {
            throw new OperationException(ExitCode.Usage, $"{option}: {e.Message}.", null, e);
        }
    }
}
