using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server client remove</c>: removes a client from clients.json, and nothing else.</summary>
internal static class ClientRemoveCommand
{
    public static CommandWithExamples Create()
    {
        var name = ClientCommands.NameArgument();
        var yes = new Option<bool>("--yes") { Description = "Confirm; without this nothing is removed." };
        var keep = new Option<bool>("--keep-backups")
        {
            Description =
                "Remove the client even if it has backups or uploads. They stay in the store and in the catalogue.",
        };
        var remove = new CommandWithExamples(
            "remove",
            "Remove a client from the list. Its backups are never deleted by this.",
            "zfs-server client remove web1 --yes",
            "zfs-server client remove web1 --yes --keep-backups"
        )
        {
            name,
            yes,
            keep,
        };
        remove.SetAction(
            (parsed, cancellationToken) =>
            {
                var (output, id) = (Output.Of(parsed), parsed.GetRequiredValue(name));
                if (!parsed.GetValue(yes))
                    ClientCommands.Run(clients => DemandYes(clients, id));
                return ClientCommands.ChangeAsync(
                    output,
                    clients => clients.Remove(id, parsed.GetValue(keep)),
                    ClientCommandsJson.Default.RemovedClient,
                    Write,
                    cancellationToken
                );
            }
        );
        return remove;
    }

    private static void DemandYes(ClientAdministration clients, string id)
    {
        clients.Find(id);
        var (backups, uploads) = clients.CountStored(id);
        throw new OperationException(
            ExitCode.Usage,
            $"Client '{id}' has {ClientAdministration.StoredOf(backups, uploads)}. Nothing was removed.",
            "Add --yes to remove the client from the list. To lock it out temporarily: zfs-server client disable."
        );
    }

    private static void Write(TextWriter text, RemovedClient removed, string use)
    {
        text.WriteLine($"Removed client '{removed.ClientId}' from {removed.ClientsFile}. {use}");
        text.WriteLine(
            removed.KeptBackups + removed.KeptUploads == 0
                ? "It had no backups and no uploads."
                : $"Nothing was deleted: its {ClientAdministration.StoredOf(removed.KeptBackups, removed.KeptUploads)} "
                    + "stay. A client that is added under the same id has them again."
        );
    }
}
