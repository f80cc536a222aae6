namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Inflates gzip members piece by piece, by ISA-L: headers, data and trailers.</summary>
internal sealed unsafe class IsalPieceInflater(IsalLibrary isal) : PieceDecompressor
{
    private const byte Magic = 0x1f;

    /// <summary>Where a header has its flags, and those that must not be set (RFC 1952, 2.3.1.2). ISA-L does not look.</summary>
    private const int FlagsOffset = 3;
    private const byte ReservedFlags = 0xe0;

    private readonly IsalMemory _memory = new(IsalLibrary.InflateStateSize);
    private long _consumed;

    public override bool CanBegin(byte first) => first == Magic;

    public override void Begin()
    {
        _consumed = 0;
        fixed (byte* memory = _memory)
        {
            isal.InitInflate(memory);
            ((IsalState*)memory)->Wrapping = IsalState.Member;
        }
    }

    public override DecompressedPiece Continue(ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (_consumed <= FlagsOffset && _consumed + input.Length > FlagsOffset && (input[(int)(FlagsOffset - _consumed)] & ReservedFlags) != 0)
            throw new InvalidDataException("its header has a reserved flag");
        fixed (byte* memory = _memory, from = input, to = output)
        {
            var state = (IsalState*)memory;
            state->Set(from, input.Length, to, output.Length);
            var result = isal.Inflate(state);
            if (result < 0) throw new InvalidDataException(IsalState.DescribeFault(result));
            _consumed += input.Length - (int)state->AvailableIn;
            return new DecompressedPiece(input.Length - (int)state->AvailableIn, output.Length - (int)state->AvailableOut, state->BlockState == IsalState.Finished);
        }
    }

    public override void Dispose()
    {
        // The memory is the collector's.
    }
}
