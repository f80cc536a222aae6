using ZfsSnapshotManager.Core.Compression.Blocks;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>How much memory a stored stream may make its reader use.</summary>
/// <param name="BeginPayload">The most bytes of the payload of a BEGIN; as a list it takes several times as
/// much.</param>
/// <param name="Block">The most bytes that a block decompresses to.</param>
/// <param name="ZstdWindow">The largest window of a zstd frame that is not a block, as a power of two.</param>
public sealed record DecodeLimits(int BeginPayload, int Block, int ZstdWindow)
{
    /// <summary>What the formats allow.</summary>
    public static DecodeLimits OfFormats { get; } =
        new(SendStreamParser.LargestBeginPayload, BlockCompressor.MaxBlockSize, 27);
}
