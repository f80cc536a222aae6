namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Reads a file or a pipe on the calling thread. A <see cref="FileStream"/> reads asynchronously by passing each read
/// to a thread of the pool (on Linux it has no other way); from the page cache, passing a slice over and back takes as
/// long as reading it.
/// </summary>
/// <remarks>
/// For work that has a thread of its own. A second thread that reads ahead was tried, and costs more than it gains.
/// </remarks>
public sealed class BlockingSource(Stream source) : ForwardOnlyStream
{
    public override bool CanRead => true;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(source.Read(buffer.Span));
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            source.Dispose();
        base.Dispose(disposing);
    }
}
