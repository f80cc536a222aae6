using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>The uploads that were announced and are not committed; each reserves its snapshot id.</summary>
internal sealed class UploadCatalogue(CatalogueDatabase database, TimeProvider time)
{
    private const string Columns =
        "upload_id, client_id, snapshot_id, storage_key, dataset_name, snapshot_name, snapshot_guid, from_guid, "
        + "compression, raw, send_flags, last_error, touched_at, snapshot_type, base_guid, properties, storage_type, "
        + "note, effective_properties, machine_id, machine_name, estimated_size";

    /// <summary>The open upload of the same snapshot, if one exists.</summary>
    public UploadRecord? FindSame(UploadRecord wanted)
    {
        using var connection = database.Open();
        return FindSame(connection, wanted);
    }

    /// <summary>True if no backup, upload or pending deletion has the id.</summary>
    public bool IsUnused(string snapshotId)
    {
        using var connection = database.Open();
        return IsUnused(connection, snapshotId);
    }

    /// <summary>
    /// Reserves the upload's id and key. If another request has announced the same snapshot meanwhile, its upload is
    /// returned.
    /// </summary>
    /// <returns>Null if the id is in use.</returns>
    public UploadRecord? Open(UploadRecord wanted)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        // What is read here still holds at the commit only because BEGIN IMMEDIATE, which BeginTransaction sends
        // (Microsoft.Data.Sqlite, deferred: false), lets in one writer at a time. With
        // several writers, two requests could open the same snapshot, or reserve one id, at once: lock the client's
        // rows first.
        if (FindSame(connection, wanted) is { } open)
            return open;
        if (!IsUnused(connection, wanted.SnapshotId))
            return null;
        Insert(connection, wanted);
        transaction.Commit();
        return wanted;
    }

    public UploadRecord? Find(string clientId, string uploadId) =>
        Query("upload_id = @upload AND client_id = @client", ("@upload", uploadId), ("@client", clientId))
            .FirstOrDefault();

    public IReadOnlyList<UploadRecord> All() => Query("1 = 1");

    public IReadOnlyList<UploadRecord> UntouchedSince(DateTimeOffset moment) =>
        Query("touched_at < @moment", ("@moment", moment.ToUnixTimeMilliseconds()));

    public int Count(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT COUNT(*) FROM uploads WHERE client_id = @client",
            ("@client", clientId)
        );
        return Convert.ToInt32(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }

    public IReadOnlyList<UploadRecord> List(string clientId) => Query("client_id = @client", ("@client", clientId));

    /// <summary>Records that a request works on the upload, and how the last attempt ended.</summary>
    public void Touch(string uploadId, ApiError? error)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "UPDATE uploads SET touched_at = @now, last_error = @error WHERE upload_id = @upload",
            ("@now", time.GetUtcNow().ToUnixTimeMilliseconds()),
            ("@error", error is null ? null : JsonSerializer.Serialize(error, ApiJson.Default.ApiError)),
            ("@upload", uploadId)
        );
        command.ExecuteNonQuery();
    }

    /// <summary>
    /// Records the base of the stream, announced or not: from now on rotation keeps it.
    /// </summary>
    public void SetBase(string uploadId, SnapshotGuid from)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "UPDATE uploads SET base_guid = @from WHERE upload_id = @upload AND base_guid IS DISTINCT FROM @from",
            ("@from", from.ToString()),
            ("@upload", uploadId)
        );
        command.ExecuteNonQuery();
    }

    /// <summary>Records that another machine resumes the upload.</summary>
    public void SetMachine(string uploadId, string machineId, string machineName)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "UPDATE uploads SET machine_id = @machine, machine_name = @name WHERE upload_id = @upload AND machine_id "
                + "<> @machine",
            ("@machine", machineId),
            ("@name", machineName),
            ("@upload", uploadId)
        );
        command.ExecuteNonQuery();
    }

    /// <summary>Records which snapshot a stream becomes in ZFS, once its BEGIN has arrived.</summary>
    public void SetTarget(string uploadId, string snapshot)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "UPDATE uploads SET storage_key = @key, note = NULL WHERE upload_id = @upload",
            ("@key", snapshot),
            ("@upload", uploadId)
        );
        command.ExecuteNonQuery();
    }

    /// <summary>
    /// Gives the upload another id and key, where it starts from its beginning, and records that what is stored under
    /// the old key is to be deleted: both or neither.
    /// </summary>
    /// <param name="storedBytes">What the old key's objects have.</param>
    /// <param name="replaced">The event of it; null for none.</param>
    /// <returns>Null if the id is in use.</returns>
    public UploadRecord? TryMove(
        UploadRecord upload,
        string snapshotId,
        string storageKey,
        long storedBytes,
        ServerEvent? replaced
    )
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        if (!IsUnused(connection, snapshotId))
            return null;
        using var move = connection.Query(
            "UPDATE uploads SET snapshot_id = @id, storage_key = @key, begin_facts = NULL, parts_bytes = 0 WHERE "
                + "upload_id = @upload",
            ("@id", snapshotId),
            ("@key", storageKey),
            ("@upload", upload.UploadId)
        );
        Invariant.Require(move.ExecuteNonQuery() == 1, $"upload {upload.UploadId} of {upload.SnapshotId} is open");
        PartCatalogue.Clear(connection, upload.UploadId);
        using var note = connection.Query(
            "INSERT INTO deletions (storage_key, snapshot_id, client_id, size_bytes) VALUES (@key, @id, @client, "
                + "@size)",
            ("@key", upload.StorageKey),
            ("@id", upload.SnapshotId),
            ("@client", upload.ClientId),
            ("@size", storedBytes)
        );
        note.ExecuteNonQuery();
        JobCatalogue.Request(connection, JobKinds.Delete, upload.ClientId);
        if (replaced is not null)
            Outbox.Add(connection, replaced);
        transaction.Commit();
        if (replaced is not null)
            database.Outbox.Signal();
        return upload with { SnapshotId = snapshotId, StorageKey = storageKey };
    }

    /// <summary>Records the manifest of the backup in ZFS, before END is passed to ZFS.</summary>
    /// <returns>False if the upload was dropped.</returns>
    public bool SetNote(string uploadId, string note)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "UPDATE uploads SET note = @note WHERE upload_id = @upload",
            ("@note", note),
            ("@upload", uploadId)
        );
        return command.ExecuteNonQuery() > 0;
    }

    /// <param name="dropped">The event of it; null for none.</param>
    public void Remove(string uploadId, ServerEvent? dropped)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        PartCatalogue.Clear(connection, uploadId);
        using var command = connection.Query("DELETE FROM uploads WHERE upload_id = @upload", ("@upload", uploadId));
        command.ExecuteNonQuery();
        if (dropped is not null)
            Outbox.Add(connection, dropped);
        transaction.Commit();
        database.Outbox.Signal();
    }

    private List<UploadRecord> Query(string condition, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            $"SELECT {Columns} FROM uploads WHERE {condition} ORDER BY touched_at",
            parameters
        );
        using var rows = command.ExecuteReader();
        List<UploadRecord> list = [];
        while (rows.Read())
            list.Add(ReadRow(rows));
        return list;
    }

    /// <summary>Only an upload that was announced with the GUID of its snapshot can be found again.</summary>
    private static UploadRecord? FindSame(SqliteConnection connection, UploadRecord wanted)
    {
        if (wanted.SnapshotGuid is null || !wanted.KindIsGiven)
            return null;
        using var command = connection.Query(
            $"SELECT {Columns} FROM uploads WHERE client_id = @client AND dataset_name = @dataset AND snapshot_guid "
                + "= @guid AND from_guid = @from AND compression = @compression AND storage_type = @storage",
            ("@client", wanted.ClientId),
            ("@dataset", wanted.DatasetName.Value),
            ("@guid", wanted.SnapshotGuid.ToString()),
            ("@from", wanted.FromGuid?.ToString() ?? ""),
            ("@compression", wanted.Compression.ApiName()),
            ("@storage", wanted.StorageType)
        );
        using var rows = command.ExecuteReader();
        return rows.Read() ? ReadRow(rows) : null;
    }

    private static bool IsUnused(SqliteConnection connection, string snapshotId)
    {
        using var command = connection.Query(
            "SELECT 1 FROM backups WHERE snapshot_id = @id UNION ALL SELECT 1 FROM uploads WHERE snapshot_id = @id "
                + "UNION ALL SELECT 1 FROM deletions WHERE snapshot_id = @id",
            ("@id", snapshotId)
        );
        return command.ExecuteScalar() is null;
    }

    private void Insert(SqliteConnection connection, UploadRecord upload)
    {
        using var command = connection.Query(
            """
            INSERT INTO uploads (
                upload_id, client_id, snapshot_id, storage_key, dataset_name, snapshot_name, snapshot_guid, from_guid,
                compression, raw, send_flags, touched_at, snapshot_type, properties, storage_type,
                effective_properties, machine_id, machine_name, estimated_size
            )
            VALUES (
                @upload, @client, @id, @key, @dataset, @name, @guid, @from,
                @compression, @raw, @flags, @now, @type, @properties, @storage,
                @effective, @machine, @machineName, @estimate
            )
            """,
            ("@upload", upload.UploadId),
            ("@client", upload.ClientId),
            ("@id", upload.SnapshotId),
            ("@key", upload.StorageKey),
            ("@dataset", upload.DatasetName.Value),
            ("@name", upload.SnapshotName ?? ""),
            ("@guid", upload.SnapshotGuid?.ToString() ?? ""),
            ("@from", upload.KindIsGiven ? upload.FromGuid?.ToString() ?? "" : null),
            ("@compression", upload.Compression.ApiName()),
            ("@raw", upload.Raw is { } raw ? Convert.ToInt64(raw) : null),
            ("@flags", string.Join(' ', upload.SendFlags)),
            ("@now", time.GetUtcNow().ToUnixTimeMilliseconds()),
            ("@type", upload.SnapshotType.ToText()),
            ("@storage", upload.StorageType),
            ("@machine", upload.MachineId ?? ""),
            ("@machineName", upload.MachineName ?? ""),
            ("@estimate", upload.EstimatedSize),
            (
                "@properties",
                upload.Properties is { } properties
                    ? JsonSerializer.Serialize(properties, ApiJson.Default.IReadOnlyDictionaryStringString)
                    : null
            ),
            (
                "@effective",
                upload.EffectiveProperties is { } effective
                    ? JsonSerializer.Serialize(effective, ApiJson.Default.IReadOnlyDictionaryStringEffectiveProperty)
                    : null
            )
        );
        command.ExecuteNonQuery();
    }

    private static UploadRecord ReadRow(DbDataReader row) =>
        new()
        {
            UploadId = row.GetString(0),
            ClientId = row.GetString(1),
            SnapshotId = row.GetString(2),
            StorageKey = row.GetString(3),
            DatasetName = DatasetName.Parse(row.GetString(4)),
            SnapshotName = row.GetString(5) is { Length: > 0 } name ? name : null,
            SnapshotGuid = row.FindGuid(6),
            KindIsGiven = !row.IsDBNull(7),
            FromGuid = row.FindGuid(7),
            Compression = CompressionFormats.TryParse(row.GetString(8), out var compression)
                ? compression
                : throw new InvalidDataException($"upload {row.GetString(0)} has an unknown compression"),
            Raw = row.IsDBNull(9) ? null : row.GetInt64(9) != 0,
            SendFlags = row.GetString(10).Split(' ', StringSplitOptions.RemoveEmptyEntries),
            LastError = row.IsDBNull(11)
                ? null
                : JsonSerializer.Deserialize(row.GetString(11), ApiJson.Default.ApiError),
            TouchedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(12)),
            SnapshotType = SnapshotTypes.TryParse(row.GetString(13)) ?? SnapshotType.Manual,
            BaseGuid = row.FindGuid(14),
            Properties = row.IsDBNull(15)
                ? null
                : JsonSerializer.Deserialize(row.GetString(15), ApiJson.Default.IReadOnlyDictionaryStringString),
            StorageType = row.GetString(16),
            Note = row.IsDBNull(17) ? null : row.GetString(17),
            EffectiveProperties = row.IsDBNull(18)
                ? null
                : JsonSerializer.Deserialize(
                    row.GetString(18),
                    ApiJson.Default.IReadOnlyDictionaryStringEffectiveProperty
                ),
            MachineId = row.GetString(19) is { Length: > 0 } machine ? machine : null,
            MachineName = row.GetString(20) is { Length: > 0 } machineName ? machineName : null,
            EstimatedSize = row.IsDBNull(21) ? null : row.GetInt64(21),
        };
}
