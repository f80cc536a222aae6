using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Replaces the current catalogue with a new one, and keeps the old one under another name. At every moment one of the
/// two is in force.
/// </summary>
internal static partial class CatalogueExchange
{
    private static readonly string[] Companions = ["-wal", "-shm"];

    /// <summary>The path where the new catalogue is created.</summary>
    public static string AsideOf(string path) => path + ".rebuilt";

    /// <summary>Removes a catalogue and SQLite's files beside it; it need not exist.</summary>
    public static void Remove(string path)
    {
        foreach (var file in (string[])[path, .. Companions.Select(end => path + end)])
            File.Delete(file);
    }

    /// <param name="current">The current catalogue; it need not exist.</param>
    /// <param name="rebuilt">The new one; it must not be open.</param>
    /// <param name="now">The time for the old one's new name.</param>
    /// <returns>The path of the old catalogue; null if none existed.</returns>
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
                $"The new catalogue cannot replace {current.Path}: {e.Message}",
                "Check METADATA_FILE, and the permissions and free space of its directory; then run it again.",
                e
            );
        }
    }

    /// <summary>Moves the log of the old catalogue into its file, if it can be opened.</summary>
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
            // It is damaged, and is kept as it is, with its log beside it.
            SqliteConnection.ClearAllPools();
        }
    }

    private static string? Keep(string path, DateTimeOffset now)
    {
        var kept = NameOf(path, now);
        var existed = File.Exists(path);
        if (existed && Link(path, kept) != 0)
            File.Copy(path, kept); // some file systems have no hard links

        // SQLite replays a log into whatever database has its name (sqlite.org/howtocorrupt.html, 1.4): it must be
        // moved away before the new file gets that name.
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
