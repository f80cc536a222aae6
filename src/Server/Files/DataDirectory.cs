using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Server.Files;

/// <summary><c>DATA_DIR</c>: who works on it alone.</summary>
internal static class DataDirectory
{
    private const string LockName = "lock";

    /// <summary>
    /// Takes the folder for this process, and makes it where there is none. Two servers on one folder would remove each
    /// other's uploads.
    /// </summary>
    /// <returns>Holds the folder until it is disposed.</returns>
    /// <exception cref="OperationException">Another process has it, or it cannot be made.</exception>
    public static FileStream Lock(string path)
    {
        Create(path);
        try
        {
            return new FileStream(
                Path.Combine(path, LockName),
                FileMode.OpenOrCreate,
                FileAccess.ReadWrite,
                FileShare.None
            );
        }
        catch (IOException e)
        {
            throw new OperationException(
                ExitCode.Conflict,
                $"Another zfs-server runs on {path}.",
                "Stop it, or give this one another DATA_DIR.",
                e
            );
        }
    }

    /// <summary>Whether a server, or a command that needs the folder alone, has it now. Nothing is made.</summary>
    public static bool IsLocked(string path)
    {
        try
        {
            using var tried = new FileStream(
                Path.Combine(path, LockName),
                FileMode.Open,
                FileAccess.Read,
                FileShare.Read
            );
            return false;
        }
        catch (Exception e)
            when (e is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static void Create(string path)
    {
        try
        {
            DurableFile.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"DATA_DIR={path} cannot be made: {e.Message}",
                "Name a folder that this user may write to.",
                e
            );
        }
    }
}
