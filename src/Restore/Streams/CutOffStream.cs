namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>Takes the place where compressed data are cut off or damaged for their end.</summary>
internal sealed class CutOffStream(Stream source) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException("The length is known only at the end.");

    public override long Position { get => throw new NotSupportedException("This stream is read once."); set => throw new NotSupportedException("This stream is read once."); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidDataException)
        {
            return 0;
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously.");

    public override void Flush()
    {
        // Nothing is written through this stream.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("This stream is read once.");

    public override void SetLength(long value) => throw new NotSupportedException("This stream is read once.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("This stream is read once.");
}
