using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>A part in memory, ready to be sent as often as it takes.</summary>
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

    /// <summary>Where the stream stands before it.</summary>
    public required ParserState Start { get; init; }

    /// <summary>Where the stream stands after it.</summary>
    public required ParserState End { get; init; }

    /// <summary>Bytes of the stream in it.</summary>
    public long StreamBytes => End.StreamOffset - Start.StreamOffset;

    /// <summary>As the manifest has it.</summary>
    public StoredPart Describe() => new() { Size = Size, Sha256 = Convert.ToHexStringLower(Sha256) };

    /// <summary>The stored bytes in pieces of at most so many.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Slices(int most)
    {
        for (var at = 0; at < Size; )
        {
            var inChunk = at % PartChunks.ChunkSize;
            var count = Math.Min(Math.Min(most, Size - at), PartChunks.ChunkSize - inChunk);
            yield return Chunks[at / PartChunks.ChunkSize].AsMemory(inChunk, count);
            at += count;
        }
    }
}
