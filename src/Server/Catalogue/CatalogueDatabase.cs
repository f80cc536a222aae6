using System.Globalization;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>The SQLite file of the catalogue: opens it, and upgrades its schema.</summary>
internal sealed class CatalogueDatabase
{
    /// <summary>SQLITE_READONLY (sqlite.org/rescode.html).</summary>
    public const int ReadOnly = 8;

    /// <summary>SQLITE_FULL: so is the disk.</summary>
    public const int Full = 13;

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
            return version <= CatalogueSchema.Steps.Length ? (int)version : throw IsLater(version);
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
    public static int CurrentVersion => CatalogueSchema.Steps.Length;

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
        if (version > CatalogueSchema.Steps.Length)
            throw IsLater(version);
        if (version >= target)
            return; // nothing is written: a full disk must not prevent the server from starting
        using var transaction = connection.BeginTransaction();
        for (var step = (int)version; step < target; step++)
            Execute(connection, CatalogueSchema.Steps[step]);
        Execute(connection, $"PRAGMA user_version = {target}");
        transaction.Commit();
    }

    private OperationException IsLater(long version) =>
        new(
            ExitCode.Configuration,
            $"The catalogue {Path} was written by a later version of zfs-server (schema {version}; this version "
                + $"knows {CatalogueSchema.Steps.Length}).",
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
