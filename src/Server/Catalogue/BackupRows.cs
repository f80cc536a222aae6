using System.Globalization;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Reads backups from rows of the catalogue. Texts that many of them share are kept once: a list may have tens of
/// thousands of backups.
/// </summary>
internal sealed class BackupRows
{
    /// <summary>In the order in which <see cref="Read"/> reads them.</summary>
    public const string Columns =
        "snapshot_id, storage_key, dataset_name, snapshot_name, snapshot_guid, from_guid, dataset_type, timestamp, "
        + "received_at, size_bytes, stream_bytes, compression, raw, features, send_flags, sha256, locked_until, "
        + "parts_sha256, snapshot_type, pinned, expires_at, storage_type, machine_id, machine_name";

    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string[]> _lists = new(StringComparer.Ordinal);

    public SnapshotInfo Read(SqliteDataReader row) =>
        new()
        {
            SnapshotId = row.GetString(0),
            StorageKey = row.GetString(1),
            DatasetName = Share(row.GetString(2)),
            SnapshotName = row.GetString(3),
            SnapshotGuid = row.FindGuid(4)!.Value,
            FromGuid = row.FindGuid(5),
            DatasetType = Share(row.GetString(6)),
            Timestamp = DateTimeOffset.FromUnixTimeSeconds(row.GetInt64(7)),
            ReceivedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(8)),
            SizeBytes = row.GetInt64(9),
            StreamBytes = row.GetInt64(10),
            Compression = Share(row.GetString(11)),
            Raw = row.GetInt64(12) != 0,
            Features = ShareList(row.GetString(13)),
            SendFlags = ShareList(row.GetString(14)),
            Sha256 = row.GetString(15) is { Length: > 0 } sha256 ? sha256 : null,
            LockedUntil = row.IsDBNull(16) ? null : DateTimeOffset.FromUnixTimeSeconds(row.GetInt64(16)),
            PartsSha256 = row.GetString(17),
            SnapshotType = SnapshotTypes.TryParse(row.GetString(18)) ?? SnapshotType.Manual,
            Pinned = row.GetInt64(19) != 0,
            ExpiresAt = row.IsDBNull(20) ? null : DateTimeOffset.FromUnixTimeSeconds(row.GetInt64(20)),
            StorageType = Share(row.GetString(21)),
            MachineId = row.GetString(22) is { Length: > 0 } machine ? Share(machine) : null,
            MachineName = row.GetString(23) is { Length: > 0 } name ? Share(name) : null,
        };

    private string Share(string text)
    {
        if (_texts.TryGetValue(text, out var known))
            return known;
        _texts.Add(text, text);
        return text;
    }

    /// <param name="words">Separated by spaces.</param>
    private string[] ShareList(string words)
    {
        if (_lists.TryGetValue(words, out var known))
            return known;
        var list = words.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        _lists.Add(words, list);
        return list;
    }
}
