using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Doctor;

/// <summary>
/// Looks at <c>DATA_DIR</c> and what the server keeps in it. What is not there yet is made by the first start.
/// </summary>
internal static class DirectoryDiagnosis
{
    /// <summary>The catalogue of a million backups, its log, and room to work.</summary>
    private const long LittleRoom = 1_000_000_000;

    private const UnixFileMode OfOthers =
        UnixFileMode.GroupRead
        | UnixFileMode.GroupWrite
        | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead
        | UnixFileMode.OtherWrite
        | UnixFileMode.OtherExecute;

    /// <returns>Whether it can be worked with: else what is in it needs no looks.</returns>
    public static bool CheckData(Diagnosis result, ServerSettings settings, CatalogueDatabase database)
    {
        var folder = settings.DataDirectory;
        if (!CheckDirectory(result, "data", folder))
            return false;
        CheckFreeSpace(result, folder);
        if (Directory.Exists(folder) && (File.GetUnixFileMode(folder) & OfOthers) != UnixFileMode.None)
            result.Warn("data", $"others may look into {folder}", $"Close it: chmod 700 {folder}");
        CheckCatalogue(result, settings, database);
        return true;
    }

    /// <summary>Sees whether the server can write to a folder, or make it.</summary>
    public static bool CheckDirectory(Diagnosis result, string name, string folder)
    {
        var there = Existing(folder);
        var fault = FindFault(there);
        if (fault is not null)
            result.Fail(
                name,
                $"{Environment.UserName} cannot write to {there}: {fault}",
                $"Let root run: install -d -m 700 -o {Environment.UserName} {folder}",
                ExitCode.Configuration
            );
        else
            result.Pass(
                name,
                there == folder ? $"{folder} can be written to" : $"{folder} is not there yet; the server makes it"
            );
        return fault is null;
    }

    private static void CheckFreeSpace(Diagnosis result, string folder)
    {
        var room = new DriveInfo(Existing(folder)).AvailableFreeSpace;
        if (room > LittleRoom)
            result.Pass("room", $"{ByteSize.Format(room)} free for {folder}");
        else
            result.Warn(
                "room",
                $"only {ByteSize.Format(room)} free for {folder}",
                "Make room: a server that cannot write takes no backups."
            );
    }

    private static void CheckCatalogue(Diagnosis result, ServerSettings settings, CatalogueDatabase database)
    {
        if (!File.Exists(database.Path))
        {
            if (settings.S3 is null && HasObjects(settings))
                result.Fail(
                    "catalogue",
                    $"{database.Path} is not there, and there are backups",
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
                // It can be written to.
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
        return Directory.Exists(objects) && Directory.EnumerateFiles(objects, "*", SearchOption.AllDirectories).Any();
    }

    private static string Existing(string folder) =>
        Directory.Exists(folder) ? folder : Existing(Path.GetDirectoryName(folder)!);

    /// <summary>Tried, since permissions are not all that can keep from writing.</summary>
    private static string? FindFault(string folder)
    {
        try
        {
            using var tried = File.OpenHandle(
                Path.Combine(folder, $".doctor-{Guid.NewGuid():N}"),
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
