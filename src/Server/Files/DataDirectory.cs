using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Server.Files;

/// <summary>The lock on <c>DATA_DIR</c>.</summary>
internal static class DataDirectory
{
    private const string LockName = "lock";

    /// <summary>
    /// Acquires the directory for this process, and creates it if it does not exist. Two servers on one directory would
    /// remove each other's uploads.
    /// </summary>
    /// <returns>Holds the directory until it is disposed.</returns>
    /// <exception cref="OperationException">Another process holds it, or it cannot be created.</exception>
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
                $"Another zfs-server is running on {path}.",
                "Stop it, or set another DATA_DIR for this one.",
                e
            );
        }
    }

    /// <summary>Whether a server, or a command that needs exclusive access, holds it now. Nothing is created.</summary>
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
                $"DATA_DIR={path} cannot be created: {e.Message}",
                "Name a directory that this user may write to.",
                e
            );
        }
    }
}
