using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>Passes on what is written to it and reports the number of bytes.</summary>
internal sealed class CountingStream(Stream destination, Action<long> written) : ForwardOnlyStream
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
