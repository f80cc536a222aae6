using System.Data.Common;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>Rows of the table <c>uploads</c> as records.</summary>
internal static class UploadRows
{
    /// <summary>In the order in which <see cref="Read"/> reads them.</summary>
    public const string Columns =
        "upload_id, client_id, snapshot_id, object_key, dataset_name, snapshot_name, snapshot_guid, from_guid, "
        + "compression, raw, send_flags, last_error, touched_at, snapshot_type, base_guid, properties, storage_type, "
        + "note, effective_properties, machine_id, machine_name, estimated_size, zfs_dataset, zfs_snapshot, state, "
        + "takeovers, owner";

    public static UploadRecord Read(DbDataReader row) =>
        new()
        {
            UploadId = row.GetString(0),
            ClientId = row.GetString(1),
            SnapshotId = row.GetString(2),
            ObjectKey = row.IsDBNull(3) ? null : row.GetString(3),
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
            ZfsDataset = row.IsDBNull(22) ? null : row.GetString(22),
            ZfsSnapshot = row.IsDBNull(23) ? null : Core.Names.SnapshotName.Parse(row.GetString(23)),
            State = UploadStates.Parse(row.GetString(24)),
            Takeovers = row.GetInt64(25),
            Owner = row.GetString(26),
        };

    public static void Insert(SqliteConnection connection, UploadRecord upload, ServerRun run, DateTimeOffset now)
    {
        using var command = connection.Query(
            """
            INSERT INTO uploads (
                upload_id, client_id, snapshot_id, object_key, zfs_dataset, dataset_name, snapshot_name,
                snapshot_guid, from_guid, compression, raw, send_flags, touched_at, snapshot_type, properties,
                storage_type, effective_properties, machine_id, machine_name, estimated_size, state, owner
            )
            VALUES (
                @upload, @client, @id, @key, @zfs, @dataset, @name, @guid, @from,
                @compression, @raw, @flags, @now, @type, @properties, @storage,
                @effective, @machine, @machineName, @estimate, @state, @run
            )
            """,
            ("@upload", upload.UploadId),
            ("@client", upload.ClientId),
            ("@id", upload.SnapshotId),
            ("@key", upload.ObjectKey),
            ("@zfs", upload.ZfsDataset),
            ("@state", UploadState.Receiving.ToText()),
            ("@run", run.Id),
            ("@dataset", upload.DatasetName.Value),
            ("@name", upload.SnapshotName ?? ""),
            ("@guid", upload.SnapshotGuid?.ToString() ?? ""),
            ("@from", upload.KindIsGiven ? upload.FromGuid?.ToString() ?? "" : null),
            ("@compression", upload.Compression.ApiName()),
            ("@raw", upload.Raw is { } raw ? Convert.ToInt64(raw) : null),
            ("@flags", string.Join(' ', upload.SendFlags)),
            ("@now", now.ToUnixTimeMilliseconds()),
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
}
