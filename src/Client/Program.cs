using System.CommandLine;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Commands;
using ZfsSnapshotManager.Core.CommandLine;

var root = new RootCommand(
    "Takes ZFS snapshots and sends them to a zfs-server. Settings are read from .env, /etc/zfs-client.env, the "
        + "environment and the command line; later sources override earlier ones."
)
{
    BackupCommand.Create(
        "backup",
        BackupMode.Automatic,
        "Take a snapshot and send it: incrementally if the server has a base, otherwise in full."
    ),
    BackupCommand.Create("backup-full", BackupMode.Full, "Take a snapshot and send it in full."),
    BackupCommand.Create(
        "backup-incremental",
        BackupMode.Incremental,
        "Take a snapshot and send the changes since the last backup; fail if no base exists."
    ),
    SnapshotCommand.Create(),
    RotateCommand.Create(),
    RotateRemoteCommand.Create(),
    StatusCommand.Create(),
    BookmarksCommand.Create(),
    DoctorCommand.Create(),
};
root.Add(CommandWithExamples.Help(root));
return await ProgramRunner.RunAsync(root, args);
