using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>Hands on what is written to it and tells how much it was.</summary>
internal sealed class CountedStream(Stream destination, Action<long> written) : ForwardOnlyStream
{
    public override bool CanWrite => true;

    public override async ValueTask WriteAsync(
        ReadOnlyMemory<byte> buffer,
        CancellationToken cancellationToken = default
    )
    {
        await destination.WriteAsync(buffer, cancellationToken);
        written(buffer.Length);
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => destination.FlushAsync(cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            destination.Dispose();
        base.Dispose(disposing);
    }
}
