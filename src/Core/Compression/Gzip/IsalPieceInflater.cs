using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Inflates gzip members piece by piece: data and trailers with ISA-L.</summary>
internal sealed unsafe class IsalPieceInflater(IsalLibrary isal) : PieceDecompressor
{
    private const byte Magic = 0x1f;

    private readonly IsalMemory _memory = new(IsalLibrary.InflateStateSize);
    private GzipHeaderReader _header;

    public override bool CanBegin(byte first) => first == Magic;

    public override void Begin()
    {
        _header = new GzipHeaderReader();
        fixed (byte* memory = _memory)
        {
            isal.InitInflate(memory);
            ((IsalState*)memory)->Wrapping = IsalState.TrailerOnly;
        }
    }

    public override DecompressedPiece Continue(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var header = _header.IsDone ? 0 : _header.Read(input);
        if (!_header.IsDone)
            return new DecompressedPiece(header, 0, Ended: false);
        fixed (
            byte* memory = _memory,
                from = input[header..],
                to = output
        )
        {
            var state = (IsalState*)memory;
            state->Set(from, input.Length - header, to, output.Length);
            var result = isal.Inflate(state);
            if (result < 0)
                throw new InvalidDataException(IsalState.DescribeFault(result));
            return new DecompressedPiece(
                input.Length - (int)state->AvailableIn,
                output.Length - (int)state->AvailableOut,
                state->BlockState == IsalState.Finished
            );
        }
    }

    public override void Dispose()
    {
        // The memory is managed.
    }
}
