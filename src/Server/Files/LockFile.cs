using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Server.Files;

/// <summary>A file that one process at a time holds. The kernel releases it when the process ends.</summary>
internal static class LockFile
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>A command of root that has just created the file gives it to this user in a moment.</summary>
    private static readonly TimeSpan DeniedPatience = TimeSpan.FromMilliseconds(200);

    /// <summary>Waits until no other process holds the file.</summary>
    /// <returns>Holds it until it is disposed.</returns>
    /// <exception cref="OperationException">Another process held it for too long, or it cannot be opened.</exception>
    public static FileStream Wait(string path, TimeSpan patience)
    {
        for (var waited = TimeSpan.Zero; ; waited += Pause)
        {
            try
            {
                return ServerFiles.OpenOrCreate(path, FileShare.None);
            }
            catch (UnauthorizedAccessException e)
            {
                if (waited >= DeniedPatience)
                    throw new OperationException(
                        ExitCode.Configuration,
                        $"The lock {path} cannot be opened: {e.Message}",
                        $"Run the command as the server's user, and give the file to that user: chown USER {path}",
                        e
                    );
                Thread.Sleep(Pause);
            }
            catch (IOException e)
            {
                if (waited >= patience)
                    throw new OperationException(
                        ExitCode.Conflict,
                        $"The lock {path} cannot be acquired: {e.Message}",
                        "Another process has held it for too long. If no such command runs, find the process: fuser "
                            + $"{path}",
                        e
                    );
                Thread.Sleep(Pause);
            }
        }
    }
}
