using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Server.Files;

/// <summary>What SQLite refuses because of the machine: its disk, or the permissions of the file.</summary>
internal static class SqliteFault
{
    // sqlite.org/rescode.html
    private const int ReadOnly = 8; // SQLITE_READONLY
    private const int IoError = 10; // SQLITE_IOERR
    private const int Full = 13; // SQLITE_FULL
    private const int CannotOpen = 14; // SQLITE_CANTOPEN
    private const int NoRoomForIndex = IoError | (19 << 8); // SQLITE_IOERR_SHMSIZE: FILE-shm cannot grow

    /// <summary>Whether the catalogue's disk is full.</summary>
    public static bool IsDiskFull(Exception e) =>
        e is SqliteException { SqliteErrorCode: Full } or SqliteException { SqliteExtendedErrorCode: NoRoomForIndex };

    /// <summary>For commands; clients get an answer of their own.</summary>
    /// <returns>Null if it is another failure.</returns>
    public static OperationException? Explain(Exception e) =>
        e switch
        {
            _ when IsDiskFull(e) => new(
                ExitCode.NoSpace,
                $"The catalogue's disk is full: {e.Message}",
                "Nothing was changed. Make room there, and run the command again.",
                e
            ),
            SqliteException { SqliteErrorCode: ReadOnly or CannotOpen or IoError } => new(
                ExitCode.Configuration,
                $"The catalogue cannot be used: {e.Message}",
                "Run the command as the server's user, and check METADATA_FILE, the permissions of its directory and "
                    + "its disk.",
                e
            ),
            _ => null,
        };
}
