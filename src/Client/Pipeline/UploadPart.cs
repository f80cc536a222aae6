using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>A part in memory, so that it can be sent repeatedly.</summary>
internal sealed record UploadPart
{
    /// <summary>From 1.</summary>
    public required int Number { get; init; }

    /// <summary>Stored bytes of the parts before it.</summary>
    public required long Offset { get; init; }

    /// <summary>The stored bytes; all chunks but the last are full.</summary>
    public required IReadOnlyList<byte[]> Chunks { get; init; }

    public required int Size { get; init; }

    public required byte[] Sha256 { get; init; }

    /// <summary>State of the stream before it.</summary>
    public required ParserState Start { get; init; }

    /// <summary>State of the stream after it.</summary>
    public required ParserState End { get; init; }

    /// <summary>Bytes of the stream in it.</summary>
    public long StreamBytes => End.StreamOffset - Start.StreamOffset;

    /// <summary>The stored bytes in slices of at most <paramref name="most"/> bytes.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Slices(int most)
    {
        var offset = 0;
        while (offset < Size)
        {
            var inChunk = offset % PartChunks.ChunkSize;
            var count = Math.Min(Math.Min(most, Size - offset), PartChunks.ChunkSize - inChunk);
            yield return Chunks[offset / PartChunks.ChunkSize].AsMemory(inChunk, count);
            offset += count;
        }
    }
}
