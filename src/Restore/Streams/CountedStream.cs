namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>Hands on what is written to it and tells how much it was.</summary>
internal sealed class CountedStream(Stream destination, Action<long> written) : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException("The length is known only at the end.");

    public override long Position { get => throw new NotSupportedException("This stream is written once."); set => throw new NotSupportedException("This stream is written once."); }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await destination.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        written(buffer.Length);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count)
    {
        destination.Write(buffer, offset, count);
        written(count);
    }

    public override void Flush() => destination.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => destination.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("This stream is only written.");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("This stream is written once.");

    public override void SetLength(long value) => throw new NotSupportedException("This stream is written once.");

    protected override void Dispose(bool disposing)
    {
        if (disposing) destination.Dispose();
        base.Dispose(disposing);
    }
}
