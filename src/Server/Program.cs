using System.CommandLine;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server;
using ZfsSnapshotManager.Server.Commands;
using ZfsSnapshotManager.Server.Files;

PrivateFiles.Enforce();
var root = new RootCommand(
    "Receives, verifies and stores ZFS snapshots of many machines. Without a command it runs the server."
)
{
    ClientCommands.Create(),
    BackupCommands.Create(),
    StorageCommands.Create(),
    CatalogueCommands.Create(),
    JobCommands.Create(),
    AuditCommand.Create(),
    DoctorCommand.Create(),
};
root.Add(CommandWithExamples.Help(root));
root.SetAction((_, cancellationToken) => ServerHost.RunAsync(cancellationToken));
return await ProgramRunner.RunAsync(root, args);
