using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>What <c>stream info</c> shows.</summary>
internal sealed record StreamReport
{
    /// <summary><c>full</c>, <c>incremental</c> or <c>package</c>.</summary>
    public required string Kind { get; init; }

    public required string Compression { get; init; }

    public required long StreamBytes { get; init; }

    public required long StoredBytes { get; init; }

    public required IReadOnlyDictionary<string, long> Records { get; init; }

    public required string EndChecksum { get; init; }

    public required IReadOnlyList<StreamSnapshot> Snapshots { get; init; }

    public static StreamReport From(StreamInfo facts, CompressionFormat compression, long storedBytes) =>
        new()
        {
            Kind = facts.Kind.ToString().ToLowerInvariant(),
            Compression = compression.ApiName(),
            StreamBytes = facts.Length,
            StoredBytes = storedBytes,
            Records = facts.Records.Where(r => r.Value > 0).ToDictionary(r => r.Key.ToString(), r => r.Value),
            EndChecksum = facts.EndChecksum.ToString(),
            Snapshots = [.. facts.Snapshots.Select(StreamSnapshot.From)],
        };
}

internal sealed record StreamSnapshot
{
    public required string Name { get; init; }

    public required SnapshotGuid Guid { get; init; }

    public required SnapshotGuid? FromGuid { get; init; }

    /// <summary><c>filesystem</c> or <c>volume</c>.</summary>
    public required string Type { get; init; }

    public required bool Raw { get; init; }

    public required bool Resumed { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required IReadOnlyList<string> Features { get; init; }

    public static StreamSnapshot From(SnapshotStreamInfo begin) =>
        new()
        {
            Name = begin.FullSnapshotName,
            Guid = new SnapshotGuid(begin.SnapshotGuid),
            FromGuid = begin.BaseGuid == 0 ? null : new SnapshotGuid(begin.BaseGuid),
            Type = begin.Type == DatasetType.Volume ? "volume" : "filesystem",
            Raw = begin.IsRaw,
            Resumed = begin.IsResumed,
            CreatedAt = begin.CreationTime,
            Features = begin.Features.Names(),
        };
}
