using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Room for the catalogue on a full disk. Deleting a backup begins with a write to the catalogue: without a reserve,
/// what would free space needs some itself.
/// </summary>
internal sealed class CatalogueReserve(CatalogueDatabase database)
{
    /// <summary>Enough for the pages of some hundred changes in SQLite's write-ahead log.</summary>
    private const int Size = 1024 * 1024;

    private string Path => database.Path + ".reserve";

    /// <summary>Creates the file if it does not exist and the disk has room; at the start and every hour.</summary>
    public void Keep()
    {
        if (File.Exists(Path))
            return;
        try
        {
            using var file = new FileStream(
                Path,
                new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                }
            );
            ServerFiles.GiveToOwnerOf(System.IO.Path.GetDirectoryName(Path)!, file.SafeFileHandle);
            file.Write(RandomNumberGenerator.GetBytes(Size)); // a file system that compresses stores zeros in no room
            file.Flush(flushToDisk: true); // before, the file may have no blocks yet
            DurableFile.SyncDirectory(System.IO.Path.GetDirectoryName(Path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Release(); // half of it is of no help; the next hour tries again
        }
    }

    /// <summary>Changes the catalogue; if the disk is full, the reserve is given up for it.</summary>
    public T Use<T>(Func<T> change)
    {
        try
        {
            return change();
        }
        catch (SqliteException e) when (e.SqliteErrorCode == CatalogueDatabase.Full && Release())
        {
            return change();
        }
    }

    /// <returns>False if nothing was released.</returns>
    private bool Release()
    {
        if (!File.Exists(Path))
            return false;
        try
        {
            File.Delete(Path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
