using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Doctor;

/// <summary>
/// Checks <c>DATA_DIR</c> and the files in it. What does not exist yet is created by the first start.
/// </summary>
internal static class DirectoryDiagnosis
{
    /// <summary>The catalogue of a million backups, its log, and some space to work.</summary>
    private const long LittleSpace = 1_000_000_000;

    private const UnixFileMode OfOthers =
        UnixFileMode.GroupRead
        | UnixFileMode.GroupWrite
        | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead
        | UnixFileMode.OtherWrite
        | UnixFileMode.OtherExecute;

    /// <returns>Whether it is usable: otherwise its content need not be checked.</returns>
    public static bool CheckData(Diagnosis result, ServerSettings settings, CatalogueDatabase database)
    {
        var directory = settings.DataDirectory;
        if (!CheckDirectory(result, "data", directory))
            return false;
        CheckFreeSpace(result, directory);
        if (Directory.Exists(directory) && (File.GetUnixFileMode(directory) & OfOthers) != UnixFileMode.None)
            result.Warn("data", $"other users can read {directory}", $"Restrict it: chmod 700 {directory}");
        CheckCatalogue(result, settings, database);
        return true;
    }

    /// <summary>Checks whether the server can write to a directory, or create it.</summary>
    public static bool CheckDirectory(Diagnosis result, string name, string directory)
    {
        var existing = Existing(directory);
        var fault = FindFault(existing);
        if (fault is not null)
            result.Fail(
                name,
                $"{Environment.UserName} cannot write to {existing}: {fault}",
                $"Let root run: install -d -m 700 -o {Environment.UserName} {directory}",
                ExitCode.Configuration
            );
        else
            result.Pass(
                name,
                existing == directory
                    ? $"{directory} is writable"
                    : $"{directory} does not exist yet; the server creates it"
            );
        return fault is null;
    }

    private static void CheckFreeSpace(Diagnosis result, string directory)
    {
        var available = new DriveInfo(Existing(directory)).AvailableFreeSpace;
        if (available > LittleSpace)
            result.Pass("room", $"{ByteSize.Format(available)} free for {directory}");
        else
            result.Warn(
                "room",
                $"only {ByteSize.Format(available)} free for {directory}",
                "Free space: a server that cannot write accepts no backups."
            );
    }

    private static void CheckCatalogue(Diagnosis result, ServerSettings settings, CatalogueDatabase database)
    {
        if (!File.Exists(database.Path))
        {
            if (settings.S3 is null && HasObjects(settings))
                result.Fail(
                    "catalogue",
                    $"{database.Path} does not exist, but backups do",
                    "Check METADATA_FILE; if it is lost, run 'zfs-server catalogue rebuild'.",
                    ExitCode.NotFound
                );
            else
                CheckDirectory(result, "catalogue", Path.GetDirectoryName(database.Path)!);
            return;
        }

        try
        {
            using (File.OpenHandle(database.Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
            {
                // It is writable.
            }

            var version = database.Inspect();
            database.Ping();
            var upgrade =
                version < CatalogueDatabase.CurrentVersion
                    ? $"; the next start brings it to {CatalogueDatabase.CurrentVersion}"
                    : "";
            result.Pass("catalogue", $"{database.Path} opens, with schema {version}{upgrade}");
        }
        catch (OperationException e)
        {
            result.Fail("catalogue", e.Message, e.Remedy, e.ExitCode);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            result.Fail(
                "catalogue",
                $"{Environment.UserName} cannot use {database.Path}: {e.Message}",
                $"Let root run: chown {Environment.UserName} {database.Path}*",
                ExitCode.Configuration
            );
        }
    }

    private static bool HasObjects(ServerSettings settings)
    {
        var objects = Path.Combine(settings.DataDirectory, "objects");
        return Directory.Exists(objects)
            && Directory
                .EnumerateFiles(objects, "*", SearchOption.AllDirectories)
                .Any(file => !ReservedKeys.Contains(Path.GetRelativePath(objects, file)));
    }

    private static string Existing(string directory) =>
        Directory.Exists(directory) ? directory : Existing(Path.GetDirectoryName(directory)!);

    /// <summary>Tests by writing: permissions are not the only obstacle.</summary>
    private static string? FindFault(string directory)
    {
        try
        {
            using var tried = File.OpenHandle(
                Path.Combine(directory, $".doctor-{Guid.NewGuid():N}"),
                FileMode.CreateNew,
                FileAccess.Write,
                FileShare.None,
                FileOptions.DeleteOnClose
            );
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }
}
