using System.Globalization;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>The SQLite file of the catalogue: opens it, and upgrades its schema.</summary>
internal sealed class CatalogueDatabase
{
    /// <summary>
    /// Each step upgrades the schema from the version of its index to the next. Steps are only ever appended.
    /// </summary>
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
                snapshot_name  TEXT NOT NULL, -- '' if the client did not announce it
                snapshot_guid  TEXT NOT NULL, -- likewise
                from_guid      TEXT, -- '' for a full one, NULL if the client did not announce it
                compression    TEXT NOT NULL,
                raw            BIGINT, -- NULL if the client did not announce it
                send_flags     TEXT NOT NULL,
                touched_at     BIGINT NOT NULL, -- Unix milliseconds
                last_error     TEXT -- JSON, as it was answered
            );
            """,
        """
            ALTER TABLE backups ADD COLUMN locked_until BIGINT; -- Unix seconds; NULL: not locked
            CREATE TABLE properties (
                name           TEXT PRIMARY KEY,
                value          TEXT NOT NULL
            );
            """,
        """
            ALTER TABLE backups ADD COLUMN parts_sha256 TEXT NOT NULL DEFAULT '';
            ALTER TABLE uploads ADD COLUMN begin_facts TEXT; -- of the stream's BEGIN, once a part has arrived
            CREATE TABLE upload_objects (
                upload_id      TEXT NOT NULL,
                object         BIGINT NOT NULL, -- from 0
                token          TEXT NOT NULL, -- the store's name for the incomplete object
                PRIMARY KEY (upload_id, object)
            );
            CREATE TABLE upload_parts (
                upload_id      TEXT NOT NULL,
                part           BIGINT NOT NULL, -- from 1
                stored_offset  BIGINT NOT NULL, -- stored bytes of the parts before it, as announced
                size_bytes     BIGINT NOT NULL,
                sha256         TEXT NOT NULL,
                receipt        TEXT NOT NULL, -- what the store returned for it
                start_state    TEXT NOT NULL, -- state of the stream before it
                end_state      TEXT NOT NULL, -- and after it
                end_checksum   TEXT, -- of the stream, if the part contains its END
                PRIMARY KEY (upload_id, part)
            );
            """,
        """
            ALTER TABLE backups ADD COLUMN snapshot_type TEXT NOT NULL DEFAULT 'manual';
            ALTER TABLE backups ADD COLUMN pinned BIGINT NOT NULL DEFAULT 0;
            ALTER TABLE backups ADD COLUMN expires_at BIGINT; -- Unix seconds; NULL: not rotated
            ALTER TABLE uploads ADD COLUMN snapshot_type TEXT NOT NULL DEFAULT 'manual';
            ALTER TABLE uploads ADD COLUMN base_guid TEXT; -- the base that the stream names, once BEGIN has arrived
            CREATE INDEX backups_by_client ON backups (client_id, size_bytes, timestamp);
            CREATE TABLE deletions ( -- backups that are no longer listed and still have to be deleted
                storage_key    TEXT PRIMARY KEY,
                snapshot_id    TEXT NOT NULL,
                client_id      TEXT NOT NULL,
                size_bytes     BIGINT NOT NULL
            );
            """,
        """
            -- JSON: the dataset's own properties; NULL if the client did not send them
            ALTER TABLE uploads ADD COLUMN properties TEXT;
            DROP INDEX backups_by_client;
            -- By time: about the order of the rows in the file.
            CREATE INDEX backups_by_client ON backups (client_id, timestamp, size_bytes);
            -- 's3', or 'local': then storage_key is a snapshot's name.
            ALTER TABLE backups ADD COLUMN storage_type TEXT NOT NULL DEFAULT 's3';
            ALTER TABLE uploads ADD COLUMN storage_type TEXT NOT NULL DEFAULT 's3';
            -- JSON: the manifest of a local one, once all of its stream but END has arrived.
            ALTER TABLE uploads ADD COLUMN note TEXT;
            ALTER TABLE deletions ADD COLUMN local_guid TEXT; -- of a snapshot; NULL for objects
            """,
        """
            -- JSON: how the dataset behaves; NULL if the client did not send it
            ALTER TABLE uploads ADD COLUMN effective_properties TEXT;
            """,
        """
            -- '': the client did not say which machine it is from.
            ALTER TABLE backups ADD COLUMN machine_id TEXT NOT NULL DEFAULT '';
            ALTER TABLE backups ADD COLUMN machine_name TEXT NOT NULL DEFAULT '';
            ALTER TABLE uploads ADD COLUMN machine_id TEXT NOT NULL DEFAULT '';
            ALTER TABLE uploads ADD COLUMN machine_name TEXT NOT NULL DEFAULT '';
            CREATE INDEX backups_by_machine ON backups (client_id, machine_id, machine_name, received_at);
            CREATE TABLE refused_machines (
                client_id      TEXT NOT NULL,
                machine_id     TEXT NOT NULL,
                machine_name   TEXT NOT NULL,
                dataset_name   TEXT NOT NULL, -- that it was not allowed to back up
                refused_at     BIGINT NOT NULL, -- Unix milliseconds
                PRIMARY KEY (client_id, machine_id)
            );
            """,
        """
            CREATE TABLE outbox ( -- events that are not yet in the audit log
                number         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
                event          TEXT NOT NULL -- JSON, a line of the audit log
            );
            """,
        """
            -- Bytes of the rows in upload_parts, so that a part does not cost a sum over all parts before it.
            ALTER TABLE uploads ADD COLUMN parts_bytes BIGINT NOT NULL DEFAULT 0;
            UPDATE uploads SET parts_bytes = (
                SELECT COALESCE(SUM(size_bytes), 0) FROM upload_parts
                WHERE upload_parts.upload_id = uploads.upload_id);
            -- What a quota adds up is in the indexes, without reading the rows.
            CREATE INDEX uploads_by_client ON uploads (client_id, storage_type, parts_bytes);
            CREATE INDEX deletions_by_client ON deletions (client_id, local_guid, size_bytes);
            DROP INDEX backups_by_client;
            CREATE INDEX backups_by_client ON backups (client_id, storage_type, timestamp, size_bytes);
            """,
        """
            CREATE TABLE begun_objects ( -- backups of which objects were begun, which may still be incomplete
                storage_key    TEXT PRIMARY KEY,
                begun_at       BIGINT NOT NULL -- Unix milliseconds
            );
            INSERT INTO begun_objects (storage_key, begun_at)
                SELECT storage_key, MAX(touched_at) FROM uploads WHERE storage_type = 's3' GROUP BY storage_key;
            """,
        """
            ALTER TABLE uploads ADD COLUMN estimated_size BIGINT; -- of the stream; NULL if the client did not send it
            """,
        """
            CREATE INDEX backups_by_expiry ON backups (client_id, expires_at) WHERE expires_at IS NOT NULL;
            """,
        """
            CREATE TABLE jobs (
                kind           TEXT NOT NULL,
                subject        TEXT NOT NULL, -- '' if the kind has one job only
                state          TEXT NOT NULL, -- waiting, running, done or cancelled
                owner          TEXT, -- the process that runs it
                lease_until    BIGINT, -- Unix milliseconds, like all times here
                not_before     BIGINT NOT NULL,
                attempts       BIGINT NOT NULL DEFAULT 0, -- that failed in a row
                requests       BIGINT NOT NULL DEFAULT 0, -- grows with each
                progress       TEXT NOT NULL DEFAULT '',
                error          TEXT, -- of the last attempt
                finished_at    BIGINT,
                PRIMARY KEY (kind, subject)
            );
            INSERT INTO jobs (kind, subject, state, not_before)
                SELECT DISTINCT 'delete', client_id, 'waiting', 0 FROM deletions;
            """,
        """
            CREATE TABLE read_leases ( -- backups that are being read
                snapshot_id    TEXT PRIMARY KEY,
                client_id      TEXT NOT NULL,
                until          BIGINT NOT NULL -- Unix seconds
            );
            """,
    ];

    // sqlite.org/rescode.html
    private const int ReadOnly = 8;
    private const int Full = 13;

    private const string SelectId = "SELECT value FROM properties WHERE name = 'catalogue_id'";

    private readonly string _connectionString;
    private string? _id;

    public CatalogueDatabase(ServerSettings settings)
    {
        (Path, Outbox) = (settings.DatabaseFile, new Outbox(this));
        _connectionString = new SqliteConnectionStringBuilder { DataSource = Path, DefaultTimeout = 30 }.ToString();
    }

    public string Path { get; }

    /// <summary>Events that are to be written to the audit log and the server's log.</summary>
    public Outbox Outbox { get; }

    /// <summary>
    /// This catalogue's own id, which clients get to know the server by: it stays when the server's address changes.
    /// </summary>
    public string Id => _id ??= GetId();

    public SqliteConnection Open()
    {
        var connection = new SqliteConnection(_connectionString);
        try
        {
            connection.Open();
            // WAL lets readers continue during a commit. With WAL, only synchronous = FULL syncs each commit to disk
            // before it returns (sqlite.org/pragma.html#pragma_synchronous). Each connection caches pages of its own;
            // with the system's page cache below, more than 512 KiB (the negative unit) gains nothing.
            Execute(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -512;");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Creates the file or upgrades it.</summary>
    /// <exception cref="OperationException">The file is not a catalogue of this program, or is of a later
    /// version.</exception>
    public void Prepare() => Prepare(CurrentVersion);

    /// <summary>Creates the file as an earlier version of this program did, or upgrades it so far.</summary>
    /// <param name="version">That of the schema.</param>
    /// <inheritdoc cref="Prepare()"/>
    public void Prepare(int version)
    {
        try
        {
            DurableFile.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
            ServerFiles.Create(Path); // SQLite gives the files beside it the same owner
            using var connection = Open();
            Upgrade(connection, version);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"The catalogue {Path} cannot be opened: {e.Message}",
                "Check METADATA_FILE, and the permissions and free space of its directory.",
                e
            );
        }
    }

    /// <summary>Checks that the file exists and that this version can read it; changes nothing.</summary>
    /// <returns>The schema's version, which may be an earlier one.</returns>
    /// <exception cref="OperationException">It does not exist, is not a catalogue, or is of a later
    /// version.</exception>
    public int Inspect()
    {
        if (!File.Exists(Path))
            throw new OperationException(
                ExitCode.NotFound,
                $"The catalogue {Path} does not exist.",
                "Check DATA_DIR and METADATA_FILE; if it is lost, run 'zfs-server catalogue rebuild'."
            );
        try
        {
            using var connection = Open();
            var version = (long)Scalar(connection, "PRAGMA user_version")!;
            return version <= Steps.Length ? (int)version : throw IsLater(version);
        }
        catch (SqliteException e)
        {
            throw new OperationException(
                ExitCode.Damaged,
                $"The catalogue {Path} cannot be read: {e.Message}",
                "Run 'zfs-server catalogue rebuild': it creates the catalogue again from what is stored.",
                e
            );
        }
    }

    /// <summary>Checks whether the catalogue can be queried.</summary>
    /// <exception cref="IOException">Its file no longer exists: SQLite would create an empty one.</exception>
    /// <exception cref="SqliteException">It cannot be read.</exception>
    public void Ping()
    {
        if (!File.Exists(Path))
            throw new IOException($"The catalogue {Path} does not exist.");
        using var connection = Open();
        Scalar(connection, "SELECT 1 FROM backups LIMIT 1");
    }

    /// <summary>
    /// For commands: a catalogue of an earlier version is upgraded by the server, not by commands.
    /// </summary>
    /// <exception cref="OperationException">It does not exist, cannot be read, or is of another version.</exception>
    public void RequireCurrent()
    {
        if (Inspect() is var version && version < CurrentVersion)
            throw new OperationException(
                ExitCode.Configuration,
                $"The catalogue {Path} was written by an earlier version (schema {version}, not {CurrentVersion}).",
                "Start this version's server once; it upgrades the catalogue."
            );
    }

    /// <summary>The version of the schema that this program writes.</summary>
    public static int CurrentVersion => Steps.Length;

    /// <summary>Sets the catalogue's id.</summary>
    public void SetId(string id)
    {
        using var connection = Open();
        using var set = connection.Query(
            "INSERT INTO properties (name, value) VALUES ('catalogue_id', @id) ON CONFLICT (name) DO UPDATE SET "
                + "value = excluded.value",
            ("@id", id)
        );
        set.ExecuteNonQuery();
    }

    /// <summary>
    /// Whether the store was seen to be this catalogue's. Directories were not marked before version 0.2.
    /// </summary>
    public bool HasClaimedStore()
    {
        using var connection = Open();
        return Scalar(connection, "SELECT 1 FROM properties WHERE name = 'store_claimed'") is not null;
    }

    public void NoteClaimedStore()
    {
        if (HasClaimedStore())
            return; // nothing is written: the disk may be full
        using var connection = Open();
        try
        {
            Execute(
                connection,
                "INSERT INTO properties (name, value) VALUES ('store_claimed', '1') ON CONFLICT DO NOTHING"
            );
        }
        catch (SqliteException)
        {
            // The disk is full or read-only: a later start notes it. Clients that restore need the server meanwhile.
        }
    }

    /// <summary>The last start of the store that this catalogue knows of; 0 if none.</summary>
    public long FindStoreEpoch()
    {
        using var connection = Open();
        return Scalar(connection, "SELECT CAST(value AS INTEGER) FROM properties WHERE name = 'store_epoch'") as long?
            ?? 0;
    }

    /// <summary>
    /// Whether a run is the last one of this catalogue, or the one before it, which the store still names if it could
    /// not be marked.
    /// </summary>
    /// <returns>True, too, if none was ever noted: an earlier version did not.</returns>
    public bool KnowsStoreRun(string run)
    {
        using var connection = Open();
        using var query = connection.Query(
            "SELECT value FROM properties WHERE name IN ('store_run', 'store_run_before')"
        );
        using var rows = query.ExecuteReader();
        List<string> known = [];
        while (rows.Read())
            known.Add(rows.GetString(0));
        return known.Count == 0 || known.Contains(run);
    }

    /// <param name="epoch">The number of the start.</param>
    /// <param name="run">The run that is to be in the store; null: none.</param>
    /// <param name="before">The run that is in the store until then; null: none.</param>
    /// <returns>False if the catalogue cannot be written: its disk is full or read-only.</returns>
    public bool TryNoteStoreStart(long epoch, string? run, string? before)
    {
        using var connection = Open();
        using var set = connection.Query(
            "INSERT INTO properties (name, value) VALUES ('store_epoch', @epoch), ('store_run', @run), "
                + "('store_run_before', @before) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            ("@epoch", epoch.ToString(CultureInfo.InvariantCulture)),
            ("@run", run ?? ""),
            ("@before", before ?? "")
        );
        try
        {
            set.ExecuteNonQuery();
            return true;
        }
        catch (SqliteException e) when (e.SqliteErrorCode is Full or ReadOnly)
        {
            return false;
        }
    }

    /// <summary>The clock as it was last seen, and from when on it is trusted if it had jumped.</summary>
    public (DateTimeOffset? Seen, DateTimeOffset? TrustedFrom) GetClock()
    {
        using var connection = Open();
        return (Read("clock_seen"), Read("clock_trusted_from"));

        DateTimeOffset? Read(string name)
        {
            using var query = connection.Query(
                "SELECT CAST(value AS INTEGER) FROM properties WHERE name = @name AND value <> ''",
                ("@name", name)
            );
            return query.ExecuteScalar() is long seconds ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
        }
    }

    /// <summary>Best effort: on a full disk, what has expired must be deleted all the same.</summary>
    /// <param name="trustedFrom">Null: it is trusted.</param>
    public void NoteClock(DateTimeOffset seen, DateTimeOffset? trustedFrom)
    {
        using var connection = Open();
        using var set = connection.Query(
            "INSERT INTO properties (name, value) VALUES ('clock_seen', @seen), ('clock_trusted_from', @from) "
                + "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            ("@seen", Format(seen)),
            ("@from", trustedFrom is { } from ? Format(from) : "")
        );
        try
        {
            set.ExecuteNonQuery();
        }
        catch (SqliteException e) when (e.SqliteErrorCode is Full or ReadOnly)
        {
            // The next look notes it.
        }

        static string Format(DateTimeOffset moment) =>
            moment.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// Moves the write-ahead log into the file and closes it, so that the file alone is the catalogue. Nothing else may
    /// use it meanwhile.
    /// </summary>
    public void Close()
    {
        using var connection = Open();
        Execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
        // Otherwise Microsoft.Data.Sqlite keeps the file open for the next user of this path.
        SqliteConnection.ClearPool(connection);
    }

    /// <summary>This catalogue's own id, created on first use.</summary>
    public string GetId()
    {
        using var connection = Open();
        if (Scalar(connection, SelectId) is string known)
            return known; // nothing is written: the disk may be full
        using var insert = connection.Query(
            "INSERT INTO properties (name, value) VALUES ('catalogue_id', @id) ON CONFLICT DO NOTHING",
            ("@id", Guid.NewGuid().ToString("N"))
        );
        insert.ExecuteNonQuery();
        return (string)Scalar(connection, SelectId)!;
    }

    /// <summary>This catalogue's own id, without creating one.</summary>
    /// <returns>Null if the catalogue does not exist yet, or has no id.</returns>
    /// <exception cref="OperationException">It cannot be read.</exception>
    public string? FindId()
    {
        if (!File.Exists(Path))
            return null;
        Inspect();
        using var connection = Open();
        return (string?)Scalar(connection, SelectId);
    }

    private void Upgrade(SqliteConnection connection, int target)
    {
        var version = (long)Scalar(connection, "PRAGMA user_version")!;
        if (version > Steps.Length)
            throw IsLater(version);
        if (version >= target)
            return; // nothing is written: a full disk must not prevent the server from starting
        using var transaction = connection.BeginTransaction();
        for (var step = (int)version; step < target; step++)
            Execute(connection, Steps[step]);
        Execute(connection, $"PRAGMA user_version = {target}");
        transaction.Commit();
    }

    private OperationException IsLater(long version) =>
        new(
            ExitCode.Configuration,
            $"The catalogue {Path} was written by a later version of zfs-server (schema {version}; this version "
                + $"knows {Steps.Length}).",
            "Start the later version again. To go back for good, restore the copy of the catalogue that was made "
                + "before the upgrade; without one, move the file and those with -wal and -shm away and run "
                + "zfs-server catalogue rebuild: pins and expiries are then lost, backups are not."
        );

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
