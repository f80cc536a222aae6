using Microsoft.Data.Sqlite;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>The answers to requests for which the catalogue failed.</summary>
internal static class CatalogueFaults
{
    // sqlite.org/rescode.html
    private const int Permission = 3;
    private const int Busy = 5;
    private const int Locked = 6;
    private const int ReadOnly = 8;
    private const int Io = 10;
    private const int Corrupt = 11;
    private const int Full = 13;
    private const int CannotOpen = 14;
    private const int NoDatabase = 26;

    /// <param name="kept">What happened to the request's own data, as a sentence.</param>
    /// <returns>Null if it is a fault of the program.</returns>
    public static RequestException? TryExplain(Exception e, string kept) =>
        (e as SqliteException)?.SqliteErrorCode switch
        {
            Full => new(
                StatusCodes.Status507InsufficientStorage,
                "storage_full",
                "The disk of the server's catalogue (METADATA_FILE) is full.",
                $"{kept} Free space on it.",
                e
            ),
            Busy or Locked => new(
                StatusCodes.Status503ServiceUnavailable,
                "server_busy",
                "The server's catalogue is locked by another program.",
                $"{kept} Try again; on the server, look for a command or a copy that holds METADATA_FILE open.",
                e
            ),
            Permission or ReadOnly or Io or Corrupt or CannotOpen or NoDatabase => new(
                StatusCodes.Status500InternalServerError,
                "storage_refused",
                $"The server's catalogue (METADATA_FILE) cannot be read or written: {e.Message}",
                $"{kept} The server's administrator must check its disk and permissions ('zfs-server doctor').",
                e
            ),
            _ => null,
        };
}
