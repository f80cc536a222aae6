using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Puts a catalogue that was made aside in the place of the one in force, which is kept under another name. At every
/// moment one of the two is in force.
/// </summary>
internal static partial class CatalogueExchange
{
    private static readonly string[] Companions = ["-wal", "-shm"];

    /// <summary>Where the new catalogue is made.</summary>
    public static string AsideOf(string path) => path + ".rebuilt";

    /// <summary>Removes a catalogue with what SQLite keeps beside it; there may be none.</summary>
    public static void Remove(string path)
    {
        foreach (var file in (string[])[path, .. Companions.Select(end => path + end)])
            File.Delete(file);
    }

    /// <param name="current">The catalogue in force; there may be none.</param>
    /// <param name="rebuilt">The new one; nobody has it open.</param>
    /// <param name="now">Becomes part of the old one's new name.</param>
    /// <returns>Where the old catalogue is kept; null where there was none.</returns>
    public static string? Exchange(CatalogueDatabase current, CatalogueDatabase rebuilt, DateTimeOffset now)
    {
        try
        {
            Checkpoint(current);
            rebuilt.Close();
            Sync(rebuilt.Path);
            var kept = Keep(current.Path, now);
            File.Move(rebuilt.Path, current.Path, overwrite: true);
            DurableFile.SyncDirectory(Path.GetDirectoryName(current.Path)!);
            return kept;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SqliteException)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"The new catalogue cannot take its place at {current.Path}: {e.Message}",
                "Check METADATA_FILE and its folder's permissions and space; then run it again.",
                e
            );
        }
    }

    /// <summary>Brings the old catalogue into one file, if it can be opened.</summary>
    private static void Checkpoint(CatalogueDatabase current)
    {
        if (!File.Exists(current.Path))
            return;
        try
        {
            current.Close();
        }
        catch (SqliteException)
        {
            // It is broken, and is kept as it is, its log beside it.
            SqliteConnection.ClearAllPools();
        }
    }

    private static string? Keep(string path, DateTimeOffset now)
    {
        var kept = NameOf(path, now);
        var existed = File.Exists(path);
        if (existed && Link(path, kept) != 0)
            File.Copy(path, kept); // some file systems have no links

        // A log that lies beside another file than its own is played into that one: it must be away before the new file
        // comes.
        if (File.Exists(path + "-wal"))
        {
            File.Move(path + "-wal", kept + "-wal");
            existed = true;
        }

        File.Delete(path + "-shm");
        DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);
        return existed ? kept : null;
    }

    private static string NameOf(string path, DateTimeOffset now)
    {
        for (var time = now; ; time = time.AddSeconds(1))
        {
            var name = $"{path}.before-rebuild-{Timestamps.ForFileName(time)}";
            if (!File.Exists(name) && !File.Exists(name + "-wal"))
                return name;
        }
    }

    private static void Sync(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Flush(flushToDisk: true);
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string name);
}
