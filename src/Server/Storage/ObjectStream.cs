namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Reads an object from a store piece by piece, so that its size does not matter to memory. A small one is read in one
/// request, however often it is read from its start again.
/// </summary>
/// <param name="size">Of the object, in bytes.</param>
internal sealed class ObjectStream(IObjectStore store, string key, long size) : Stream
{
    private const int PieceSize = 1024 * 1024;

    private readonly byte[] _piece = new byte[Math.Min(size, PieceSize)];
    private long _pieceStart;
    private int _filled;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length { get; } = size;

    public override long Position { get; set; }

    /// <exception cref="StorageException">It cannot be read, or is no longer so long.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position >= Length || buffer.IsEmpty)
            return 0;
        if (Position < _pieceStart || Position >= _pieceStart + _filled)
        {
            _filled = 0; // nothing of it counts if reading fails
            var count = (int)Math.Min(_piece.Length, Length - Position);
            await store.ReadAsync(key, Position, _piece.AsMemory(0, count), cancellationToken);
            (_pieceStart, _filled) = (Position, count);
        }

        var offset = (int)(Position - _pieceStart);
        var length = Math.Min(buffer.Length, _filled - offset);
        _piece.AsMemory(offset, length).CopyTo(buffer);
        Position += length;
        return length;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("Read asynchronously.");

    public override long Seek(long offset, SeekOrigin origin) =>
        Position =
            offset
            + (
                origin switch
                {
                    SeekOrigin.Begin => 0,
                    SeekOrigin.Current => Position,
                    _ => Length,
                }
            );

    public override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("Objects are never changed.");

    public override void SetLength(long value) => throw new NotSupportedException("Objects are never changed.");

    public override void Flush()
    {
        // Nothing is written here.
    }
}
