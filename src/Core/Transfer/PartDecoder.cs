using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Reads a part of a stored stream and verifies it: complete, valid records in complete, valid blocks, from a known
/// state on.
/// </summary>
public static class PartDecoder
{
    /// <summary>Decompresses and verifies all of a part. Memory is bounded, whatever the data.</summary>
    /// <param name="stored">The part's stored bytes.</param>
    /// <param name="format">How they are compressed.</param>
    /// <param name="start">The state of the stream before the part.</param>
    /// <param name="limits">What the data may take.</param>
    /// <param name="onBegin">Gets the facts of BEGIN if the part holds it; may throw to refuse the stream.</param>
    /// <returns>The state of the stream after the part, and its checksum before END if the part holds END.</returns>
    /// <exception cref="SendStreamException">A record is incomplete or invalid.</exception>
    /// <exception cref="OperationException">The compressed data are damaged
    /// (<see cref="ExitCode.Damaged"/>).</exception>
    public static async Task<(ParserState End, Fletcher4? EndChecksum)> DecodeAsync(
        StoredBytesReader stored,
        CompressionFormat format,
        ParserState start,
        DecodeLimits limits,
        Action<SnapshotStreamInfo> onBegin,
        CancellationToken cancellationToken
    )
    {
        var parser = SendStreamParser.Resume(start);
        parser.MaxBeginPayload = limits.BeginPayload;
        Fletcher4? endChecksum = null;
        using var stream = new DecompressedStream(stored, format, alone: false, limits);
        ReadOnlyMemory<byte> slice;
        while (!(slice = await stream.ReadSliceAsync(StreamSlice.Size, cancellationToken)).IsEmpty)
        {
            var known = parser.Begin is not null;
            Advance(parser, slice.Span, ref endChecksum);
            if (!known && parser.Begin is { } begin)
            {
                onBegin(begin);
                parser.ReleaseBeginPayload();
            }
        }

        if (!parser.IsAtBoundary)
            throw new SendStreamException(
                SendStreamError.EndsEarly,
                parser.RecordIndex,
                parser.RecordOffset,
                "the part ends inside a record"
            );
        return (parser.State, endChecksum);
    }

    private static void Advance(SendStreamParser parser, ReadOnlySpan<byte> slice, ref Fletcher4? endChecksum)
    {
        while (true)
        {
            switch (parser.Read(ref slice, out _))
            {
                case ParserEvent.Record when parser.Current.Type == RecordType.End:
                    endChecksum = parser.ChecksumBefore;
                    break;
                case ParserEvent.NeedMoreInput or ParserEvent.EndOfStream:
                    return;
                default:
                    break;
            }
        }
    }
}
