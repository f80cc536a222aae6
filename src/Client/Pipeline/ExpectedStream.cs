using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// The stream that a dataset's plan allows, as this machine alone decides it: nothing the server answers makes
/// <c>zfs send</c> send another one. A pure function of the plan, without I/O.
/// </summary>
/// <param name="Snapshot">The snapshot that is sent.</param>
/// <param name="BaseGuid">What an incremental starts from; null for a full stream.</param>
/// <param name="IsVolume">Whether the dataset is a volume.</param>
/// <param name="SendFlags">Flags of <c>zfs send</c>.</param>
internal sealed record ExpectedStream(
    LocalSnapshot Snapshot,
    SnapshotGuid? BaseGuid,
    bool IsVolume,
    IReadOnlyList<string> SendFlags
)
{
    /// <summary>Features that no stream of one snapshot has that this program sends.</summary>
    private const StreamFeatures NeverSent =
        StreamFeatures.Dedup | StreamFeatures.DedupProps | StreamFeatures.Redacted | StreamFeatures.Holds;

    /// <summary>Whether blocks leave this machine encrypted as they are on disk.</summary>
    public bool IsRaw => SendFlags.Contains(ZfsSend.Raw);

    // The features by flag: OpenZFS module/zfs/dmu_send.c, setup_featureflags.

    private bool IsCompressed => IsRaw || SendFlags.Contains("-c");

    private bool MayHaveLargeBlocks => IsRaw || SendFlags.Contains("-L");

    private bool MayHaveEmbeddedData => !IsRaw && SendFlags.Contains("-e");

    /// <summary>
    /// Makes the token with which <c>zfs send -t</c> continues this stream, and no other. Snapshot, base, name and
    /// flags are the plan's.
    /// </summary>
    /// <param name="from">Where it continues.</param>
    /// <param name="bytes">Bytes of the stream before that; only an estimate of the rest depends on it.</param>
    /// <remarks>The name decides where <c>zfs send -t</c> begins to look for the GUID
    /// (lib/libzfs/libzfs_sendrecv.c, guid_to_name): the pool may have a copy of the snapshot elsewhere, even a
    /// decrypted one.</remarks>
    public ResumeToken MintToken(SendStream.ResumePoint from, ulong bytes) =>
        new()
        {
            BaseGuid = BaseGuid?.Value,
            Object = from.Object,
            Offset = from.Offset,
            Bytes = bytes,
            SnapshotGuid = Snapshot.Guid.Value,
            FullSnapshotName = Snapshot.Name.ToString(),
            LargeBlocks = MayHaveLargeBlocks,
            Embedded = MayHaveEmbeddedData,
            Compressed = IsCompressed,
            Raw = IsRaw,
        };

    /// <summary>Compares what <c>zfs send</c> says of its stream with the plan.</summary>
    /// <param name="begin">The BEGIN that it sends.</param>
    /// <param name="from">Where an interrupted stream continues; null: the stream is whole.</param>
    /// <returns>The first difference, human-readable; null if there is none.</returns>
    public string? FindDifference(SnapshotStreamInfo begin, ResumeToken? from)
    {
        if (begin.FullSnapshotName != Snapshot.Name.ToString())
            return $"it is the stream of {begin.FullSnapshotName}, not of {Snapshot.Name}";
        var continues = from is { Object: 0, Offset: 0 } ? null : from;
        var start = continues is null ? null : (SendStream.ResumePoint?)new(continues.Object, continues.Offset);
        return begin.ResumePoint == start ? FindDifference(begin) : "it starts at another place of the stream";
    }

    /// <summary>
    /// Compares what the server says of the stream that it has a part of with the plan. Its name has the dataset as it
    /// was called then.
    /// </summary>
    /// <returns>The first difference, human-readable; null if there is none.</returns>
    public string? FindDifferenceOfStored(SnapshotStreamInfo begin)
    {
        if (begin.IsResumed)
            return "it is not a stream from its start";
        return FindDifference(begin) ?? FindDifference(begin.FullSnapshotName);
    }

    /// <summary>Compares a token of the server's <c>zfs receive</c> with the plan.</summary>
    /// <returns>The first difference, human-readable; null if there is none.</returns>
    public string? FindDifferenceOfStored(ResumeToken token)
    {
        if (token.OtherPairs.Count > 0)
            return "the token says more than how a stream continues";
        return FindDifference(token.SnapshotGuid, token.BaseGuid ?? 0)
            ?? FindDifference(token.Raw, token.Compressed, token.LargeBlocks, token.Embedded)
            ?? FindDifference(token.FullSnapshotName);
    }

    private string? FindDifference(SnapshotStreamInfo begin)
    {
        if (begin.IsPackage)
            return "it is a package of several streams";
        if (FindDifference(begin.SnapshotGuid, begin.BaseGuid) is { } other)
            return other;
        if (begin.Type != (IsVolume ? DatasetType.Volume : DatasetType.Filesystem))
            return "it is of another type of dataset";
        if (begin.CreationTime != Snapshot.Creation)
            return "it is of a snapshot that was made at another time";
        if ((begin.Features & NeverSent) is not StreamFeatures.None and var unwanted)
            return $"it has the features {unwanted}";
        return FindDifference(
            begin.IsRaw,
            Has(begin, StreamFeatures.Compressed),
            Has(begin, StreamFeatures.LargeBlocks),
            Has(begin, StreamFeatures.EmbedData)
        );
    }

    private string? FindDifference(string stored) =>
        stored.EndsWith($"@{Snapshot.Name.Leaf}", StringComparison.Ordinal)
            ? null
            : "it is the stream of a snapshot with another name";

    private string? FindDifference(ulong snapshot, ulong baseGuid)
    {
        if (snapshot != Snapshot.Guid.Value)
            return "it is the stream of another snapshot";
        return baseGuid == (BaseGuid?.Value ?? 0) ? null : "it is based on another snapshot";
    }

    private string? FindDifference(bool raw, bool compressed, bool largeBlocks, bool embedded)
    {
        if (raw != IsRaw)
            return IsRaw
                ? $"it is decrypted, and {Snapshot.Name.Dataset} is only sent raw (encrypted)"
                : $"it is raw (encrypted), and {Snapshot.Name.Dataset} is not sent raw";
        if (compressed != IsCompressed)
            return IsCompressed ? "it has no compressed blocks (-c)" : "it has compressed blocks (-c)";
        if (largeBlocks && !MayHaveLargeBlocks)
            return "it has large blocks (-L)";
        return embedded && !MayHaveEmbeddedData ? "it has embedded blocks (-e)" : null;
    }

    private static bool Has(SnapshotStreamInfo begin, StreamFeatures feature) =>
        (begin.Features & feature) != StreamFeatures.None;
}
