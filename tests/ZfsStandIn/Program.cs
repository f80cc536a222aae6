using ZfsSnapshotManager.ZfsStandIn.Commands;
using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn;

/// <summary>
/// Stands in for <c>zfs</c> where a test only needs streams and processes: keeps the state of a pool in the directory
/// that the environment variable ZFS_STANDIN names, and answers in the words of OpenZFS 2.3.2. A contract test
/// compares it with real ZFS, command by command.
/// </summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        try
        {
            NoteCommand(arguments);
            return Dispatch(arguments);
        }
        catch (ZfsFailure failure)
        {
            Console.Error.WriteLine(failure.Message);
            return failure.ExitCode;
        }
    }

    private static int Dispatch(string[] arguments) =>
        arguments switch
        {
            ["version"] => PrintVersion(),
            ["create", .. var rest] => DatasetCommands.Create(rest),
            ["destroy", .. var rest] => DestroyCommand.Run(rest),
            ["rename", .. var rest] => DatasetCommands.Rename(rest),
            ["rollback", .. var rest] => RollbackCommand.Run(rest),
            ["clone", .. var rest] => DatasetCommands.Clone(rest),
            ["mount", .. var rest] => DatasetCommands.Mount(rest),
            ["unmount", .. var rest] => DatasetCommands.Unmount(rest),
            ["snapshot", .. var rest] => SnapshotCommands.Snapshot(rest),
            ["bookmark", .. var rest] => SnapshotCommands.Bookmark(rest),
            ["hold", .. var rest] => SnapshotCommands.Hold(rest),
            ["holds", .. var rest] => SnapshotCommands.Holds(rest),
            ["release", .. var rest] => SnapshotCommands.Release(rest),
            ["set", .. var rest] => PropertyCommands.Set(rest),
            ["inherit", .. var rest] => PropertyCommands.Inherit(rest),
            ["get", .. var rest] => PropertyCommands.Get(rest),
            ["list", .. var rest] => ListCommand.Run(rest),
            ["send", .. var rest] => SendCommand.Run(rest),
            ["receive", .. var rest] => ReceiveCommand.Run(rest),
            ["stand-in", .. var rest] => ContentsCommands.Run(rest),
            [var unknown, ..] => throw ZfsFailure.Usage($"unrecognized command '{unknown}'"),
            [] => throw ZfsFailure.Usage("missing command"),
        };

    /// <summary>
    /// Adds a line to the file <c>commands</c> in the state's directory, if a test has made one: the words with tabs
    /// between them.
    /// </summary>
    private static void NoteCommand(string[] arguments)
    {
        var file = Path.Combine(StateStore.Directory, "commands");
        if (File.Exists(file))
            File.AppendAllText(file, string.Join('\t', arguments) + '\n');
    }

    private static int PrintVersion()
    {
        Console.Out.WriteLine("zfs-2.3.2-standin\nzfs-kmod-2.3.2-standin");
        return 0;
    }
}
