using System.Data.Common;
using System.Globalization;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>The committed backups: what is listed can be restored, and nothing else is listed.</summary>
internal sealed class BackupCatalogue(CatalogueDatabase database)
{
    private const string Columns =
        "snapshot_id, storage_key, dataset_name, snapshot_name, snapshot_guid, from_guid, dataset_type, timestamp, received_at, size_bytes, stream_bytes, compression, raw, send_flags, sha256";

    /// <summary>A client's backups, newest first.</summary>
    public IReadOnlyList<SnapshotInfo> List(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query($"SELECT {Columns} FROM backups WHERE client_id = @client ORDER BY timestamp DESC, received_at DESC", ("@client", clientId));
        using var rows = command.ExecuteReader();
        List<SnapshotInfo> list = [];
        while (rows.Read()) list.Add(ReadRow(rows));
        return list;
    }

    /// <param name="snapshotId">The backup's id, or its storage key.</param>
    public SnapshotInfo? Find(string clientId, string snapshotId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            $"SELECT {Columns} FROM backups WHERE client_id = @client AND (snapshot_id = @id OR storage_key = @id)", ("@client", clientId), ("@id", snapshotId));
        using var rows = command.ExecuteReader();
        return rows.Read() ? ReadRow(rows) : null;
    }

    /// <summary>The backup of one snapshot of a dataset, made from one base (null: the full one).</summary>
    public SnapshotInfo? Find(string clientId, DatasetName dataset, SnapshotGuid snapshot, SnapshotGuid? from)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            $"SELECT {Columns} FROM backups WHERE client_id = @client AND dataset_name = @dataset AND snapshot_guid = @guid AND from_guid = @from",
            ("@client", clientId), ("@dataset", dataset.Value), ("@guid", snapshot.ToString()), ("@from", from?.ToString() ?? ""));
        using var rows = command.ExecuteReader();
        return rows.Read() ? ReadRow(rows) : null;
    }

    /// <summary>Whether the client has a backup that an incremental can build on: known by its GUID alone, in whatever dataset; raw where the incremental is (openzfs#8375).</summary>
    /// <param name="raw">Null where it is not known yet.</param>
    public bool HasBase(string clientId, SnapshotGuid snapshot, bool? raw)
    {
        using var connection = database.Open();
        return HasBase(connection, clientId, snapshot, raw);
    }

    /// <summary>Lists a backup and ends its upload, both or neither. An incremental is only listed while its base is.</summary>
    /// <returns>False where the base is gone or the same backup is there already; then nothing was changed.</returns>
    public bool Commit(string clientId, string uploadId, SnapshotInfo backup)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        if (backup.FromGuid is { } from && !HasBase(connection, clientId, from, backup.Raw)) return false;
        if (Insert(connection, clientId, backup) == 0) return false;
        using var ended = connection.Query("DELETE FROM uploads WHERE upload_id = @upload", ("@upload", uploadId));
        ended.ExecuteNonQuery();
        transaction.Commit();
        return true;
    }

    /// <returns>How many backups, their stored bytes, and when the newest one's snapshot was made.</returns>
    public (int Count, long Bytes, DateTimeOffset? Newest) GetUsage(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query("SELECT COUNT(*), COALESCE(SUM(size_bytes), 0), MAX(timestamp) FROM backups WHERE client_id = @client", ("@client", clientId));
        using var rows = command.ExecuteReader();
        rows.Read();
        return (rows.GetInt32(0), rows.GetInt64(1), rows.IsDBNull(2) ? null : DateTimeOffset.FromUnixTimeSeconds(rows.GetInt64(2)));
    }

    private static bool HasBase(SqliteConnection connection, string clientId, SnapshotGuid snapshot, bool? raw)
    {
        using var command = connection.Query("SELECT raw FROM backups WHERE client_id = @client AND snapshot_guid = @guid", ("@client", clientId), ("@guid", snapshot.ToString()));
        using var rows = command.ExecuteReader();
        while (rows.Read())
        {
            if (raw is null || raw == (rows.GetInt64(0) != 0)) return true;
        }

        return false;
    }

    private static int Insert(SqliteConnection connection, string clientId, SnapshotInfo backup)
    {
        using var command = connection.Query(
            $"""
            INSERT INTO backups (client_id, {Columns})
            VALUES (@client, @id, @key, @dataset, @name, @guid, @from, @type, @timestamp, @received, @size, @stream, @compression, @raw, @flags, @sha256)
            ON CONFLICT DO NOTHING
            """,
            ("@client", clientId), ("@id", backup.SnapshotId), ("@key", backup.StorageKey), ("@dataset", backup.DatasetName), ("@name", backup.SnapshotName),
            ("@guid", backup.SnapshotGuid.ToString()), ("@from", backup.FromGuid?.ToString() ?? ""), ("@type", backup.DatasetType),
            ("@timestamp", backup.Timestamp.ToUnixTimeSeconds()), ("@received", backup.ReceivedAt.ToUnixTimeMilliseconds()), ("@size", backup.SizeBytes),
            ("@stream", backup.StreamBytes), ("@compression", backup.Compression), ("@raw", backup.Raw ? 1L : 0L), ("@flags", string.Join(' ', backup.SendFlags)), ("@sha256", backup.Sha256));
        return command.ExecuteNonQuery();
    }

    private static SnapshotInfo ReadRow(DbDataReader row) => new()
    {
        SnapshotId = row.GetString(0),
        StorageKey = row.GetString(1),
        DatasetName = row.GetString(2),
        SnapshotName = row.GetString(3),
        SnapshotGuid = ReadGuid(row.GetString(4))!.Value,
        FromGuid = ReadGuid(row.GetString(5)),
        DatasetType = row.GetString(6),
        Timestamp = DateTimeOffset.FromUnixTimeSeconds(row.GetInt64(7)),
        ReceivedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(8)),
        SizeBytes = row.GetInt64(9),
        StreamBytes = row.GetInt64(10),
        Compression = row.GetString(11),
        Raw = row.GetInt64(12) != 0,
        SendFlags = row.GetString(13).Split(' ', StringSplitOptions.RemoveEmptyEntries),
        Sha256 = row.GetString(14),
    };

    private static SnapshotGuid? ReadGuid(string text) => text.Length == 0 ? null : new SnapshotGuid(ulong.Parse(text, CultureInfo.InvariantCulture));
}
