using System.Text;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// A copy of the catalogue's id beside it, so that a server whose catalogue was lost stays the same to its clients:
/// their marks, holds and bookmarks name it. A bucket has the id itself (<see cref="StoreOwnership"/>).
/// </summary>
internal static partial class CatalogueIdFile
{
    private const string Name = "catalogue-id";

    /// <summary>
    /// Before the server begins: a new catalogue gets the id that the lost one had. A disk that is full, or a file that
    /// belongs to another user, does not prevent a catalogue that has its id from being served.
    /// </summary>
    /// <exception cref="OperationException">The catalogue has no id yet, and the file cannot be read: with another id,
    /// clients would take all that they have marked for another server's.</exception>
    public static void Keep(CatalogueDatabase database, ServerSettings settings, ILogger logger)
    {
        if (settings.S3 is not null)
            return;
        try
        {
            var own = database.FindId();
            var kept = own is null ? Find(settings) : TryFind(settings);
            if (own is null && kept is not null)
                database.SetId(kept);
            if (database.Id != kept)
                DurableFile.Replace(
                    PathOf(settings),
                    Encoding.ASCII.GetBytes(database.Id + "\n"),
                    UnixFileMode.UserRead | UnixFileMode.UserWrite
                );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SqliteException)
        {
            LogNotKept(logger, PathOf(settings), e.Message);
        }
    }

    /// <returns>Null if there is none.</returns>
    /// <exception cref="OperationException">It cannot be read.</exception>
    public static string? Find(ServerSettings settings)
    {
        try
        {
            return Read(settings);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"The id of the catalogue that was lost cannot be read from {PathOf(settings)}: {e.Message}",
                $"Give the file to the server's user: chown USER {PathOf(settings)}",
                e
            );
        }
    }

    private static string? TryFind(ServerSettings settings)
    {
        try
        {
            return Read(settings);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // it is written anew
        }
    }

    private static string? Read(ServerSettings settings)
    {
        if (settings.S3 is not null || !File.Exists(PathOf(settings)))
            return null;
        var id = File.ReadAllText(PathOf(settings)).Trim();
        return Guid.TryParseExact(id, "N", out _) ? id : null;
    }

    private static string PathOf(ServerSettings settings) => Path.Combine(settings.DataDirectory, Name);

    [LoggerMessage(
        LogLevel.Warning,
        "The catalogue's id could not be kept in {Path}: {Reason}. If the catalogue is lost, clients would take a new "
            + "one for another server's. Free space, or give the file to the server's user, and start the server again"
    )]
    private static partial void LogNotKept(ILogger logger, string path, string reason);
}
