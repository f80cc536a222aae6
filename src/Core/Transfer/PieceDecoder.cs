using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>Decompresses by a library that accepts input in pieces.</summary>
internal sealed class PieceDecoder(PushbackStream source, PieceDecompressor decompressor) : ContinuousDecoder
{
    private ReadOnlyMemory<byte> _input;
    private bool _sourceEnded;
    private bool _isBetween = true;

    public override async ValueTask<int> ReadAsync(Memory<byte> room, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_input.IsEmpty && !_sourceEnded)
            {
                _input = await source.ReadSliceAsync(StreamSlice.Size, cancellationToken);
                _sourceEnded = _input.IsEmpty;
            }

            if (_isBetween)
            {
                if (_sourceEnded)
                    return 0;
                if (!decompressor.CanBegin(_input.Span[0]))
                    throw new InvalidDataException(TrailingBytes);
                decompressor.Begin();
                _isBetween = false;
            }

            var piece = Continue(room.Span);
            _input = _input[piece.Consumed..];
            _isBetween = piece.Ended;
            if (piece.Produced > 0)
                return piece.Produced;
            if (_sourceEnded && !piece.Ended)
                throw Damaged("it ends too early");
        }
    }

    public override void Dispose() => decompressor.Dispose();

    private DecompressedPiece Continue(Span<byte> room)
    {
        try
        {
            return decompressor.Continue(_input.Span, room);
        }
        catch (InvalidDataException e)
        {
            throw Damaged(e.Message, e);
        }
    }
}
