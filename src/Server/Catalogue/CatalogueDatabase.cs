using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>The SQLite file behind the catalogue: opens it, and brings its schema up to date.</summary>
internal sealed class CatalogueDatabase
{
    /// <summary>Each step brings the schema from the version of its index to the next; steps are only ever added.</summary>
    private static readonly string[] Steps =
    [
        """
        CREATE TABLE backups (
            snapshot_id    TEXT PRIMARY KEY,
            storage_key    TEXT NOT NULL UNIQUE,
            client_id      TEXT NOT NULL,
            dataset_name   TEXT NOT NULL,
            snapshot_name  TEXT NOT NULL,
            snapshot_guid  TEXT NOT NULL,
            from_guid      TEXT NOT NULL, -- '' for a full backup: NULLs would not be unique
            dataset_type   TEXT NOT NULL,
            timestamp      BIGINT NOT NULL, -- Unix seconds
            received_at    BIGINT NOT NULL, -- Unix milliseconds
            size_bytes     BIGINT NOT NULL,
            stream_bytes   BIGINT NOT NULL,
            compression    TEXT NOT NULL,
            raw            BIGINT NOT NULL,
            features       TEXT NOT NULL, -- separated by spaces
            send_flags     TEXT NOT NULL, -- likewise
            sha256         TEXT NOT NULL,
            UNIQUE (client_id, dataset_name, snapshot_guid, from_guid)
        );
        CREATE INDEX backups_by_guid ON backups (client_id, snapshot_guid);
        CREATE TABLE uploads (
            upload_id      TEXT PRIMARY KEY,
            client_id      TEXT NOT NULL,
            snapshot_id    TEXT NOT NULL UNIQUE,
            storage_key    TEXT NOT NULL,
            dataset_name   TEXT NOT NULL,
            snapshot_name  TEXT NOT NULL, -- '' where the client did not say
            snapshot_guid  TEXT NOT NULL, -- likewise
            from_guid      TEXT, -- '' for a full one, NULL where the client did not say
            compression    TEXT NOT NULL,
            raw            BIGINT, -- NULL where the client did not say
            send_flags     TEXT NOT NULL,
            touched_at     BIGINT NOT NULL, -- Unix milliseconds
            last_error     TEXT -- JSON, as the client was told
        );
        """,
    ];

    private readonly string _connectionString;

    public CatalogueDatabase(ServerSettings settings)
    {
        Path = settings.DatabaseFile;
        _connectionString = new SqliteConnectionStringBuilder { DataSource = Path, DefaultTimeout = 30 }.ToString();
    }

    public string Path { get; }

    public SqliteConnection Open()
    {
        var connection = new SqliteConnection(_connectionString);
        try
        {
            connection.Open();
            // WAL lets readers go on during a commit; FULL syncs each commit to disk before it is acknowledged.
            Execute(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Creates the file or brings it up to date.</summary>
    /// <exception cref="OperationException">The file is not a catalogue of this program, or one of a later version.</exception>
    public void Prepare()
    {
        try
        {
            DurableFile.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
            using var connection = Open();
            Upgrade(connection);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new OperationException(ExitCode.Configuration, $"The catalogue {Path} cannot be opened: {e.Message}", "Check METADATA_FILE and its folder's permissions and space.", e);
        }
    }

    private void Upgrade(SqliteConnection connection)
    {
        var version = (long)Scalar(connection, "PRAGMA user_version")!;
        if (version > Steps.Length) throw new OperationException(ExitCode.Configuration, $"The catalogue {Path} was written by a later version of zfs-server (schema {version}, this one knows {Steps.Length}).", "Use the later version.");
        if (version == Steps.Length) return; // nothing is written: a full disk must not keep the server from starting
        using var transaction = connection.BeginTransaction();
        for (var step = (int)version; step < Steps.Length; step++) Execute(connection, Steps[step]);
        Execute(connection, $"PRAGMA user_version = {Steps.Length}");
        transaction.Commit();
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
