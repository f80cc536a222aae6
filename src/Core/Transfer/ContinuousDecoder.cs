using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.Core.Compression.Zstd;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Decompresses data that do not consist of blocks, from start to end: what <c>gzip</c>, <c>zstd</c> and others wrote,
/// and a block that is cut off.
/// </summary>
internal abstract class ContinuousDecoder : IDisposable
{
    protected const string TrailingBytes = "has bytes after its end";

    public static ContinuousDecoder Create(CompressionFormat format, PushbackStream source, DecodeLimits limits)
    {
        if (format == CompressionFormat.Zstd)
            return new PieceDecoder(source, new ZstdPieceDecompressor(limits.ZstdWindow));
        return IsalLibrary.Current is { } isal
            ? new PieceDecoder(source, new IsalPieceInflater(isal))
            : new FrameworkGzipDecoder(source);
    }

    public static InvalidDataException Damaged(string detail, Exception? inner = null) =>
        new($"is damaged or cut off ({detail.TrimEnd('.')})", inner);

    /// <summary>Reads some more bytes; 0 only if the data end complete and valid, with nothing after them.</summary>
    /// <exception cref="InvalidDataException">They do not; the message continues "The compressed data".</exception>
    public abstract ValueTask<int> ReadAsync(Memory<byte> room, CancellationToken cancellationToken);

    public abstract void Dispose();
}
