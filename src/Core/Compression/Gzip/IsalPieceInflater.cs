namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Inflates gzip members piece by piece, by ISA-L: headers, data and trailers.</summary>
internal sealed unsafe class IsalPieceInflater(IsalLibrary isal) : PieceDecompressor
{
    private const byte Magic = 0x1f;

    private readonly IsalMemory _memory = new(IsalLibrary.InflateStateSize);

    public override bool CanBegin(byte first) => first == Magic;

    public override void Begin()
    {
        fixed (byte* memory = _memory)
        {
            isal.InitInflate(memory);
            ((IsalState*)memory)->Wrapping = IsalState.Member;
        }
    }

    public override DecompressedPiece Continue(ReadOnlySpan<byte> input, Span<byte> output)
    {
        fixed (byte* memory = _memory, from = input, to = output)
        {
            var state = (IsalState*)memory;
            state->Set(from, input.Length, to, output.Length);
            var result = isal.Inflate(state);
            if (result < 0) throw new InvalidDataException(IsalState.DescribeFault(result));
            return new DecompressedPiece(input.Length - (int)state->AvailableIn, output.Length - (int)state->AvailableOut, state->BlockState == IsalState.Finished);
        }
    }

    public override void Dispose()
    {
        // The memory is the collector's.
    }
}
