using System.CommandLine;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Commands;
using ZfsSnapshotManager.Core.CommandLine;

var root = new RootCommand(
    "Takes ZFS snapshots and sends them to a zfs-server. Settings come from .env, /etc/zfs-client.env, the "
        + "environment and the flags; later ones win."
)
{
    BackupCommand.Create(
        "backup",
        BackupMode.Automatic,
        "Take a snapshot and send it: incremental where the server has a base, else full."
    ),
    BackupCommand.Create("backup-full", BackupMode.Full, "Take a snapshot and send all of it."),
    BackupCommand.Create(
        "backup-incremental",
        BackupMode.Incremental,
        "Take a snapshot and send what changed since the last backup; fail where there is none."
    ),
    SnapshotCommand.Create(),
    RotateCommand.Create(),
    RotateRemoteCommand.Create(),
    StatusCommand.Create(),
    BookmarksCommand.Create(),
    DoctorCommand.Create(),
};
root.Add(Verb.Help(root));
return await ProgramRunner.RunAsync(root, args);
