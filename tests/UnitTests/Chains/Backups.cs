using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.UnitTests.Chains;

/// <summary>Backups as the server lists them, from the few fields that a test needs.</summary>
internal static class Backups
{
    public static SnapshotInfo Full(ulong guid, string dataset = "tank/data") => Make(guid, null, dataset, raw: false);

    public static SnapshotInfo Incremental(ulong guid, ulong from, string dataset = "tank/data") =>
        Make(guid, from, dataset, raw: false);

    public static SnapshotInfo Make(ulong guid, ulong? from, string dataset, bool raw, params string[] flags) =>
        new()
        {
            SnapshotId = $"c/{dataset.Replace('/', '_')}_{guid}{(from is null ? "" : $"_from_{from}")}",
            StorageKey = "",
            DatasetName = dataset,
            SnapshotName = $"s{guid}",
            SnapshotGuid = new SnapshotGuid(guid),
            FromGuid = from is { } f ? new SnapshotGuid(f) : null,
            DatasetType = "filesystem",
            Timestamp = DateTimeOffset.UnixEpoch.AddHours(guid),
            ReceivedAt = DateTimeOffset.UnixEpoch.AddHours(guid),
            SizeBytes = 1,
            StreamBytes = 1,
            Compression = "gzip",
            Raw = raw,
            Features = raw ? ["Raw"] : [],
            SendFlags = flags,
            Sha256 = "",
            PartsSha256 = "",
        };
}
