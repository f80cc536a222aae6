namespace ZfsSnapshotManager.Core.Compression;

/// <summary>
/// Decompresses gzip members or zstd frames piece by piece, with the memory of a window. For one thread at a time.
/// </summary>
internal abstract class PieceDecompressor : IDisposable
{
    /// <summary>Whether a member or frame can begin with this byte.</summary>
    public abstract bool CanBegin(byte first);

    /// <summary>A member or frame begins with the next piece.</summary>
    public abstract void Begin();

    /// <summary>Goes on as far as there are input and room.</summary>
    /// <exception cref="InvalidDataException">The data are damaged.</exception>
    public abstract DecompressedPiece Continue(ReadOnlySpan<byte> input, Span<byte> output);

    public abstract void Dispose();
}

/// <summary>What came of a piece of input.</summary>
/// <param name="Consumed">Bytes of input that are used up.</param>
/// <param name="Produced">Bytes that came out.</param>
/// <param name="Ended">Whether the member or frame is at its end, and right.</param>
internal readonly record struct DecompressedPiece(int Consumed, int Produced, bool Ended);
