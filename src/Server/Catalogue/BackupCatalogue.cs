using System.Globalization;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>The committed backups. Whatever is listed can be restored, and nothing else is listed.</summary>
internal sealed class BackupCatalogue(CatalogueDatabase database)
{
    /// <summary>What <see cref="GetStoredBytes"/> asks for each part: answered from indexes alone.</summary>
    public const string StoredBytes = """
        SELECT
            (SELECT COALESCE(SUM(size_bytes), 0) FROM backups WHERE client_id = @client AND storage_type = 's3')
            + (SELECT COALESCE(SUM(size_bytes), 0) FROM deletions WHERE client_id = @client AND local_guid IS NULL),
            (SELECT COALESCE(SUM(parts_bytes), 0) FROM uploads WHERE client_id = @client AND storage_type = 's3')
        """;

    private const string Columns = BackupRows.Columns;

    /// <summary>A client's backups, the one that arrived last first: clocks of clients may be wrong.</summary>
    public IReadOnlyList<SnapshotInfo> List(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            $"SELECT {Columns} FROM backups WHERE client_id = @client",
            ("@client", clientId)
        );
        // Sorted here: for ORDER BY, SQLite would write whole rows to a temporary file.
        return
        [
            .. ReadAll(command)
                .OrderByDescending(backup => backup.ReceivedAt)
                .ThenByDescending(backup => backup.Timestamp),
        ];
    }

    /// <summary>The backups of all clients or of one, as of one moment.</summary>
    public IReadOnlyList<ListedBackup> ListAll(string? clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            $"SELECT {Columns}, client_id FROM backups WHERE client_id = @client OR @client IS NULL ORDER BY "
                + "storage_key",
            ("@client", clientId)
        );
        using var rows = command.ExecuteReader();
        var backups = new BackupRows();
        List<ListedBackup> list = [];
        while (rows.Read())
            list.Add(new ListedBackup(rows.GetString(rows.FieldCount - 1), backups.Read(rows)));
        return list;
    }

    /// <summary>Lists backups that were selected together: all or none.</summary>
    public void AddAll(IEnumerable<ListedBackup> backups)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        foreach (var (clientId, backup) in backups)
        {
            if (Insert(connection, clientId, backup) == 0)
                throw new InvalidOperationException($"{backup.SnapshotId} is already listed.");
        }

        transaction.Commit();
    }

    /// <param name="snapshotId">The backup's id, or its storage key.</param>
    public SnapshotInfo? Find(string clientId, string snapshotId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            $"SELECT {Columns} FROM backups WHERE client_id = @client AND (snapshot_id = @id OR storage_key = @id)",
            ("@client", clientId),
            ("@id", snapshotId)
        );
        return ReadAll(command).FirstOrDefault();
    }

    /// <summary>The backup of one snapshot of a dataset, made from one base (null: the full one).</summary>
    public SnapshotInfo? Find(string clientId, DatasetName dataset, SnapshotGuid snapshot, SnapshotGuid? from)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            $"SELECT {Columns} FROM backups WHERE client_id = @client AND dataset_name = @dataset AND snapshot_guid "
                + "= @guid AND from_guid = @from",
            ("@client", clientId),
            ("@dataset", dataset.Value),
            ("@guid", snapshot.ToString()),
            ("@from", from?.ToString() ?? "")
        );
        return ReadAll(command).FirstOrDefault();
    }

    /// <summary>
    /// The client's backups of one snapshot, in any dataset: a base is identified by its GUID alone. An incremental is
    /// stored where its base is.
    /// </summary>
    /// <param name="storageType">One of <see cref="StorageTypes"/>.</param>
    public IReadOnlyList<SnapshotInfo> FindBases(string clientId, SnapshotGuid snapshot, string storageType)
    {
        using var connection = database.Open();
        return [.. FindBases(connection, clientId, snapshot).Where(backup => backup.StorageType == storageType)];
    }

    /// <summary>
    /// Lists a backup and ends its upload, both or neither. An incremental is listed only if its base is.
    /// </summary>
    /// <param name="committed">The event of it.</param>
    /// <returns>False if the base is no longer listed or the same backup is already listed; nothing changes.</returns>
    /// <exception cref="InvariantException">The upload is not open, or was taken over since it was read.</exception>
    public bool Commit(UploadRecord upload, SnapshotInfo backup, ServerEvent committed)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        // What is read here still holds at the commit only because BEGIN IMMEDIATE, which BeginTransaction sends
        // (Microsoft.Data.Sqlite, deferred: false), lets in one writer at a time. With
        // several writers (PostgreSQL's READ COMMITTED), a removal of the base between this check and the commit would
        // leave a broken chain: lock the client's rows first.
        if (
            backup.FromGuid is { } from
            && !FindBases(connection, upload.ClientId, from)
                .Any(known => !known.IsLocal && ChainLink.Fits(known, backup.Features))
        )
            return false;
        if (Insert(connection, upload.ClientId, backup) == 0)
            return false;
        using var ended = connection.Query(
            "DELETE FROM uploads WHERE upload_id = @upload AND takeovers = @takeovers",
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );
        // An upload is committed once. Its row reserved the id and key of the backup until now.
        Invariant.Require(ended.ExecuteNonQuery() == 1, $"upload {upload.UploadId} of {backup.SnapshotId} is open");
        PartCatalogue.Clear(connection, upload.UploadId);
        Outbox.Add(connection, committed);
        transaction.Commit();
        database.Outbox.Signal();
        return true;
    }

    /// <summary>
    /// Removes a backup from the list and records that its objects are to be deleted, both or neither. It stays if it
    /// is pinned, or if a backup or an open upload depends on it: these may have come after the removal was planned.
    /// </summary>
    /// <param name="deleted">The event of it.</param>
    /// <param name="due">It stays, too, unless it has expired by then; null: whether it has does not matter.</param>
    /// <returns>False if it stays, or is no longer listed.</returns>
    public bool Remove(string clientId, SnapshotInfo backup, ServerEvent deleted, DateTimeOffset? due = null)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        // What is read here still holds at the commit only because BEGIN IMMEDIATE, which BeginTransaction sends
        // (Microsoft.Data.Sqlite, deferred: false), lets in one writer at a time. With
        // several writers, an incremental could be committed between this check and the removal of its base: lock the
        // client's rows first.
        if (IsNeeded(connection, clientId, backup))
            return false;
        using var delete = connection.Query(
            "DELETE FROM backups WHERE client_id = @client AND snapshot_id = @id AND pinned = 0 AND (@due IS NULL OR "
                + "expires_at <= @due)",
            ("@client", clientId),
            ("@id", backup.SnapshotId),
            ("@due", due?.ToUnixTimeSeconds())
        );
        if (delete.ExecuteNonQuery() == 0)
            return false;
        using var note = connection.Query(
            "INSERT INTO deletions (storage_key, snapshot_id, client_id, size_bytes, local_guid) VALUES (@key, @id, "
                + "@client, @size, @guid)",
            ("@key", backup.StorageKey),
            ("@id", backup.SnapshotId),
            ("@client", clientId),
            ("@size", backup.SizeBytes),
            ("@guid", backup.IsLocal ? backup.SnapshotGuid.ToString() : null)
        );
        note.ExecuteNonQuery();
        JobCatalogue.Request(connection, JobKinds.Delete, clientId);
        Outbox.Add(connection, deleted);
        transaction.Commit();
        database.Outbox.Signal();
        return true;
    }

    /// <summary>Sets when a backup is to be deleted, or that it is not.</summary>
    /// <param name="expiresAt">Null: it stays.</param>
    /// <param name="expiring">The event of it; null for none.</param>
    /// <returns>False if no such backup is listed, or it is pinned.</returns>
    public bool SetExpiry(string clientId, string snapshotId, DateTimeOffset? expiresAt, ServerEvent? expiring = null)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "UPDATE backups SET expires_at = @expires WHERE client_id = @client AND snapshot_id = @id AND (pinned = "
                + "0 OR @expires IS NULL)",
            ("@expires", expiresAt?.ToUnixTimeSeconds()),
            ("@client", clientId),
            ("@id", snapshotId)
        );
        return Run(connection, command, expiring);
    }

    /// <summary>Pins a backup so that rotation keeps it, or unpins it. A pinned backup does not expire.</summary>
    /// <param name="changed">The event of it.</param>
    /// <returns>False if no such backup is listed.</returns>
    public bool Pin(string clientId, string snapshotId, bool pinned, ServerEvent changed)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "UPDATE backups SET pinned = @pinned, expires_at = CASE WHEN @pinned = 1 THEN NULL ELSE expires_at END "
                + "WHERE client_id = @client AND snapshot_id = @id",
            ("@pinned", pinned ? 1L : 0L),
            ("@client", clientId),
            ("@id", snapshotId)
        );
        return Run(connection, command, changed);
    }

    /// <summary>
    /// Bytes of a client's backups in the object store, with those whose objects are still to be deleted, and bytes of
    /// its uploads' parts.
    /// </summary>
    public (long Backups, long Uploads) GetStoredBytes(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query(StoredBytes, ("@client", clientId));
        using var rows = command.ExecuteReader();
        rows.Read();
        return (rows.GetInt64(0), rows.GetInt64(1));
    }

    /// <summary>Whether the client has anything in ZFS.</summary>
    public bool HasLocal(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT 1 FROM backups WHERE client_id = @client AND storage_type = 'local' UNION ALL SELECT 1 FROM "
                + "uploads WHERE client_id = @client AND storage_type = 'local' UNION ALL SELECT 1 FROM deletions "
                + "WHERE client_id = @client AND local_guid IS NOT NULL LIMIT 1",
            ("@client", clientId)
        );
        return command.ExecuteScalar() is not null;
    }

    /// <summary>What the status says about a client's backups.</summary>
    public BackupSummary GetSummary(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT COUNT(*), MAX(MIN(timestamp, received_at / 1000)), MAX(received_at / 1000), COUNT(expires_at), "
                + $"COUNT(CASE WHEN timestamp > received_at / 1000 + {BackupOrder.ToleranceSeconds} THEN 1 END) "
                + "FROM backups WHERE client_id = @client",
            ("@client", clientId)
        );
        using var rows = command.ExecuteReader();
        rows.Read();
        return new BackupSummary
        {
            Count = rows.GetInt32(0),
            Newest = ReadTime(1),
            NewestReceived = ReadTime(2),
            Expiring = rows.GetInt32(3),
            Ahead = rows.GetInt32(4),
        };

        DateTimeOffset? ReadTime(int column) =>
            rows.IsDBNull(column) ? null : DateTimeOffset.FromUnixTimeSeconds(rows.GetInt64(column));
    }

    /// <summary>Clients that have backups whose time to be deleted has come.</summary>
    public IReadOnlyList<string> ClientsWithExpired(DateTimeOffset now)
    {
        using var connection = database.Open();
        using var query = connection.Query(
            "SELECT DISTINCT client_id FROM backups WHERE expires_at <= @now ORDER BY client_id",
            ("@now", now.ToUnixTimeSeconds())
        );
        using var rows = query.ExecuteReader();
        List<string> clients = [];
        while (rows.Read())
            clients.Add(rows.GetString(0));
        return clients;
    }

    /// <summary>
    /// Stored bytes for each byte of the stream, of all backups of the dataset that were sent and stored in the same
    /// way.
    /// </summary>
    /// <returns>Null if there are none.</returns>
    public double? FindStoredShare(UploadRecord upload)
    {
        using var connection = database.Open();
        using var query = connection.Query(
            "SELECT COALESCE(SUM(size_bytes), 0), COALESCE(SUM(stream_bytes), 0) FROM backups "
                + "WHERE client_id = @client AND dataset_name = @dataset AND storage_type = @storage "
                + "AND compression = @compression",
            ("@client", upload.ClientId),
            ("@dataset", upload.DatasetName.Value),
            ("@storage", upload.StorageType),
            ("@compression", upload.Compression.ApiName())
        );
        using var rows = query.ExecuteReader();
        rows.Read();
        return rows.GetInt64(1) == 0 ? null : (double)rows.GetInt64(0) / rows.GetInt64(1);
    }

    /// <summary>Changes rows, with an event if there are any.</summary>
    private bool Run(SqliteConnection connection, SqliteCommand change, ServerEvent? e)
    {
        using var transaction = connection.BeginTransaction();
        change.Transaction = transaction;
        if (change.ExecuteNonQuery() == 0)
            return false;
        if (e is not null)
            Outbox.Add(connection, e);
        transaction.Commit();
        database.Outbox.Signal();
        return true;
    }

    private static bool IsNeeded(SqliteConnection connection, string clientId, SnapshotInfo backup)
    {
        var others = FindBases(connection, clientId, backup.SnapshotGuid)
            .Where(other => other.SnapshotId != backup.SnapshotId)
            .ToList();
        // What an open upload demands of its base is not known before its BEGIN: only one just like it can replace it.
        var isReplaceable = others.Exists(other =>
            other.StorageType == backup.StorageType
            && other.Features.ToHashSet(StringComparer.Ordinal).SetEquals(backup.Features)
        );
        using var uploads = connection.Query(
            "SELECT 1 FROM uploads WHERE client_id = @client AND (from_guid = @guid OR base_guid = @guid) "
                + "AND state <> 'abandoned' LIMIT 1",
            ("@client", clientId),
            ("@guid", backup.SnapshotGuid.ToString())
        );
        if (!isReplaceable && uploads.ExecuteScalar() is not null)
            return true;
        using var command = connection.Query(
            $"SELECT {Columns} FROM backups WHERE client_id = @client AND from_guid = @guid",
            ("@client", clientId),
            ("@guid", backup.SnapshotGuid.ToString())
        );
        return ReadAll(command)
            .Exists(dependent =>
                dependent.SnapshotId != backup.SnapshotId
                && ChainLink.Fits(backup, dependent.Features)
                && !others.Exists(other => ChainLink.Fits(other, dependent.Features))
            );
    }

    /// <summary>Storage keys of the backups that the object store received last.</summary>
    public IReadOnlyList<string> NewestObjectKeys(int count)
    {
        using var connection = database.Open();
        using var query = connection.Query(
            "SELECT storage_key FROM backups WHERE storage_type = @type ORDER BY received_at DESC LIMIT @count",
            ("@type", StorageTypes.Objects),
            ("@count", (long)count)
        );
        using var rows = query.ExecuteReader();
        List<string> keys = [];
        while (rows.Read())
            keys.Add(rows.GetString(0));
        return keys;
    }

    /// <summary>Storage keys of what is stored and not listed: open uploads, and deletions to be finished.</summary>
    public IReadOnlySet<string> UnlistedKeys()
    {
        using var connection = database.Open();
        using var query = connection.Query(
            "SELECT COALESCE(object_key, zfs_snapshot, zfs_dataset) FROM uploads UNION SELECT storage_key FROM "
                + "deletions"
        );
        using var rows = query.ExecuteReader();
        HashSet<string> keys = new(StringComparer.Ordinal);
        while (rows.Read())
            keys.Add(rows.GetString(0));
        return keys;
    }

    private static List<SnapshotInfo> FindBases(SqliteConnection connection, string clientId, SnapshotGuid snapshot)
    {
        using var command = connection.Query(
            $"SELECT {Columns} FROM backups WHERE client_id = @client AND snapshot_guid = @guid",
            ("@client", clientId),
            ("@guid", snapshot.ToString())
        );
        return ReadAll(command);
    }

    private static int Insert(SqliteConnection connection, string clientId, SnapshotInfo backup)
    {
        using var command = connection.Query(
            $"""
            INSERT INTO backups (client_id, {Columns})
            VALUES (
                @client, @id, @key, @dataset, @name, @guid, @from, @type, @timestamp, @received, @size, @stream,
                @compression, @raw, @features, @flags, @sha256, @locked, @parts, @class, @pinned, @expires, @storage,
                @machine, @machineName
            )
            ON CONFLICT DO NOTHING
            """,
            ("@client", clientId),
            ("@id", backup.SnapshotId),
            ("@key", backup.StorageKey),
            ("@dataset", backup.DatasetName),
            ("@name", backup.SnapshotName),
            ("@guid", backup.SnapshotGuid.ToString()),
            ("@from", backup.FromGuid?.ToString() ?? ""),
            ("@type", backup.DatasetType),
            ("@timestamp", backup.Timestamp.ToUnixTimeSeconds()),
            ("@received", backup.ReceivedAt.ToUnixTimeMilliseconds()),
            ("@size", backup.SizeBytes),
            ("@stream", backup.StreamBytes),
            ("@compression", backup.Compression),
            ("@raw", backup.Raw ? 1L : 0L),
            ("@features", string.Join(' ', backup.Features)),
            ("@flags", string.Join(' ', backup.SendFlags)),
            ("@sha256", backup.Sha256 ?? ""),
            ("@locked", backup.LockedUntil?.ToUnixTimeSeconds()),
            ("@parts", backup.PartsSha256),
            ("@class", backup.SnapshotType.ToText()),
            ("@pinned", backup.Pinned ? 1L : 0L),
            ("@expires", backup.ExpiresAt?.ToUnixTimeSeconds()),
            ("@storage", backup.StorageType),
            ("@machine", backup.MachineId ?? ""),
            ("@machineName", backup.MachineName ?? "")
        );
        return command.ExecuteNonQuery();
    }

    private static List<SnapshotInfo> ReadAll(SqliteCommand command)
    {
        using var rows = command.ExecuteReader();
        var backups = new BackupRows();
        List<SnapshotInfo> list = [];
        while (rows.Read())
            list.Add(backups.Read(rows));
        return list;
    }
}
