using System.CommandLine;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Commands;

var root = new RootCommand(
    "Lists, restores and verifies the backups on a zfs-server. Settings are read from .env, /etc/zfs-client.env and "
        + "the environment; later sources override earlier ones."
)
{
    ListCommand.Create(),
    RestoreCommand.CreateRestore(),
    RestoreCommand.CreateLatest(),
    SaveCommand.Create(),
    MountCommand.Create(),
    DoctorCommand.Create(),
    VerifyCommand.Create(),
    StreamCommand.Create(),
};
root.Add(CommandWithExamples.Help(root));
return await ProgramRunner.RunAsync(root, args);
