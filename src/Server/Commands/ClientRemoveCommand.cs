using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;

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
        remove.SetAction(parsed =>
            Run(Output.Of(parsed), parsed.GetRequiredValue(name), parsed.GetValue(yes), parsed.GetValue(keep))
        );
        return remove;
    }

    private static void Run(Output output, string id, bool yes, bool keep)
    {
        var settings = ServerSettings.Read();
        ClientCommands.Find(ClientsFile.Read(settings.ClientsFile), id, settings.ClientsFile);
        using var services = CommandServices.Create(settings);
        var (backups, uploads) = Count(services, id);
        if (!yes)
            throw new OperationException(
                ExitCode.Usage,
                $"Client '{id}' has {Describe(backups, uploads)}. Nothing was removed.",
                "Add --yes to remove the client from the list. To lock it out temporarily: zfs-server client disable."
            );
        if (backups + uploads > 0 && !keep)
        {
            throw new OperationException(
                ExitCode.Conflict,
                $"Client '{id}' has {Describe(backups, uploads)}; without the client they can be neither listed nor "
                    + "restored.",
                "Add --keep-backups to remove the client anyway: its backups are not deleted, and a client that is "
                    + "added under the same id has them again."
            );
        }

        ClientsFile.Change(settings.ClientsFile, clients =>
            [.. clients.Except([ClientCommands.Find(clients, id, settings.ClientsFile)])]
        );
        ClientCommands.Note(
            settings,
            AuditEvents.ClientRemoved,
            id,
            [("kept_backups", $"{backups}"), ("kept_uploads", $"{uploads}")]
        );
        output.Result(
            new RemovedClient
            {
                ClientId = id,
                ClientsFile = settings.ClientsFile,
                KeptBackups = backups,
                KeptUploads = uploads,
            },
            ClientCommandsJson.Default.RemovedClient,
            text =>
            {
                text.WriteLine(
                    $"Removed client '{id}' from {settings.ClientsFile}. A running server refuses it at once."
                );
                text.WriteLine(
                    backups + uploads == 0
                        ? "It had no backups and no uploads."
                        : $"Nothing was deleted: its {Describe(backups, uploads)} stay. A client that is added "
                            + "under the same id has them again."
                );
            }
        );
    }

    private static (int Backups, int Uploads) Count(ServiceProvider services, string id)
    {
        var database = services.GetRequiredService<CatalogueDatabase>();
        if (!File.Exists(database.Path))
            return (0, 0); // no server has run here yet
        database.RequireCurrent();
        return (
            services.GetRequiredService<BackupCatalogue>().ListAll(id).Count,
            services.GetRequiredService<UploadCatalogue>().List(id).Count
        );
    }

    private static string Describe(int backups, int uploads) =>
        $"{backups} {(backups == 1 ? "backup" : "backups")} and {uploads} open {(uploads == 1 ? "upload" : "uploads")}";
}
