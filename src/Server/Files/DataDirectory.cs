using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Server.Files;

/// <summary>The locks on <c>DATA_DIR</c> and on the catalogue, which may be elsewhere.</summary>
internal static class DataDirectory
{
    private const string LockName = "lock";
    private const int WouldBlock = 11; // EWOULDBLOCK, which .NET has as HResult

    /// <summary>
    /// Acquires the directory and the catalogue for this process, and creates their directories if they do not exist.
    /// Two servers on one of them would remove each other's uploads.
    /// </summary>
    /// <param name="directory">DATA_DIR.</param>
    /// <param name="catalogue">The catalogue's file.</param>
    /// <returns>Holds both until it is disposed.</returns>
    /// <exception cref="OperationException">Another process holds one, or they cannot be created.</exception>
    public static IDisposable Lock(string directory, string catalogue)
    {
        var first = Lock("DATA_DIR", directory, Path.Combine(directory, LockName));
        try
        {
            return new Locks(first, Lock("METADATA_FILE", catalogue, $"{catalogue}.{LockName}"));
        }
        catch
        {
            first.Dispose();
            throw;
        }
    }

    private static FileStream Lock(string setting, string path, string file)
    {
        Create(setting, Path.GetDirectoryName(file)!);
        try
        {
            return ServerFiles.OpenOrCreate(file, FileShare.None);
        }
        catch (IOException e) when (e.HResult == WouldBlock)
        {
            throw new OperationException(
                ExitCode.Conflict,
                $"Another zfs-server is running on {path}.",
                $"Stop it, or set another {setting} for this one.",
                e
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"The file {file} cannot be locked: {e.Message}",
                "Run it as the server's user, and give the file to that user (chown).",
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

    private static void Create(string setting, string path)
    {
        try
        {
            DurableFile.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"The directory {path}, for {setting}, cannot be created: {e.Message}",
                "Name a directory that this user may write to.",
                e
            );
        }
    }

    private sealed record Locks(FileStream Directory, FileStream Catalogue) : IDisposable
    {
        public void Dispose()
        {
            Catalogue.Dispose();
            Directory.Dispose();
        }
    }
}
