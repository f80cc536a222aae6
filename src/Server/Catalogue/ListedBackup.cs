using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>A backup and the client that it belongs to.</summary>
internal sealed record ListedBackup(string ClientId, SnapshotInfo Info)
{
    /// <summary>The catalogue lists each identity once.</summary>
    public (string ClientId, string Dataset, ulong Snapshot, ulong From) Identity =>
        (ClientId, Info.DatasetName, Info.SnapshotGuid.Value, Info.FromGuid?.Value ?? 0);

    /// <summary>
    /// The fields in which two records of a backup differ, each with both values, with the catalogue's precision.
    /// </summary>
    public IEnumerable<string> DifferencesFrom(ListedBackup other)
    {
        foreach (var (own, others) in Fields().Zip(other.Fields()))
        {
            if (own.Value != others.Value)
                yield return $"{own.Name} is '{own.Value}', not '{others.Value}'";
        }
    }

    private IEnumerable<(string Name, string Value)> Fields() =>
        [
            ("client_id", ClientId),
            ("snapshot_id", Info.SnapshotId),
            ("dataset_name", Info.DatasetName),
            ("snapshot_name", Info.SnapshotName),
            ("snapshot_guid", $"{Info.SnapshotGuid}"),
            ("from_guid", $"{Info.FromGuid}"),
            ("dataset_type", Info.DatasetType),
            ("timestamp", $"{Info.Timestamp.ToUnixTimeSeconds()}"),
            ("received_at", $"{Info.ReceivedAt.ToUnixTimeMilliseconds()}"),
            ("stored_bytes", $"{Info.SizeBytes}"),
            ("stream_bytes", $"{Info.StreamBytes}"),
            ("compression", Info.Compression),
            ("raw", $"{Info.Raw}"),
            ("features", Words(Info.Features)),
            ("send_flags", Words(Info.SendFlags)),
            ("sha256", Info.Sha256 ?? ""),
            ("parts_sha256", Info.PartsSha256),
            ("locked_until", $"{Info.LockedUntil?.ToUnixTimeSeconds()}"),
            ("storage_type", Info.StorageType),
            ("snapshot_type", SnapshotTypes.ToText(Info.SnapshotType)),
            ("machine_id", Info.MachineId ?? ""),
            ("machine_name", Info.MachineName ?? ""),
        ];

    /// <summary>The catalogue stores a list as words: an entry of two words is read back as two.</summary>
    private static string Words(IEnumerable<string> list) =>
        string.Join(' ', string.Join(' ', list).Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
