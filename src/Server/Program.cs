using System.CommandLine;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Doctor;
using ZfsSnapshotManager.Server.Rotation;
using ZfsSnapshotManager.Server.Storage;

PrivateFiles.Enforce();
var root = new RootCommand("Receives, verifies and stores ZFS snapshots of many machines. Without a command it serves.")
{
    ClientCommands.Create(),
    BackupCommands.Create(),
    StorageCommands.Create(),
    CatalogueCommands.Create(),
    AuditCommand.Create(),
    DoctorCommand.Create(),
};
root.Add(Verb.Help(root));
root.SetAction((_, cancellationToken) => ServerHost.RunAsync(cancellationToken));
return await ProgramRunner.RunAsync(root, args);
