namespace ZfsSnapshotManager.Core.Compression.Blocks;

/// <summary>
/// Decompresses gzip members or zstd frames piece by piece, in the memory of one window. For one thread at a time.
/// </summary>
internal abstract class PieceDecompressor : IDisposable
{
    /// <summary>Whether a member or frame can begin with this byte.</summary>
    public abstract bool CanBegin(byte first);

    /// <summary>Starts a member or frame: it begins with the next piece.</summary>
    public abstract void Begin();

    /// <summary>Decompresses until the input or the room for output is used up.</summary>
    /// <exception cref="InvalidDataException">The data are damaged.</exception>
    public abstract DecompressedPiece Continue(ReadOnlySpan<byte> input, Span<byte> output);

    public abstract void Dispose();
}

/// <summary>The result of a piece of input.</summary>
/// <param name="Consumed">Bytes of input that are used up.</param>
/// <param name="Produced">Bytes of output.</param>
/// <param name="Ended">Whether the member or frame is at its end, and valid.</param>
internal readonly record struct DecompressedPiece(int Consumed, int Produced, bool Ended);
