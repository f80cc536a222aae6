using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Passes a stream on, but holds its END record back until it is released: only then does ZFS make the snapshot.
/// </summary>
/// <param name="destination">Where the stream goes.</param>
internal sealed class HeldEndStream(Stream destination) : ForwardOnlyStream
{
    /// <summary>END is the last record of a stream and has no payload.</summary>
    private readonly byte[] _held = new byte[RecordHeader.Size];
    private int _count;

    public override bool CanWrite => true;

    public override async ValueTask WriteAsync(
        ReadOnlyMemory<byte> buffer,
        CancellationToken cancellationToken = default
    )
    {
        var passed = Math.Max(0, _count + buffer.Length - _held.Length);
        var fromHeld = Math.Min(passed, _count);
        if (fromHeld > 0)
        {
            await destination.WriteAsync(_held.AsMemory(0, fromHeld), cancellationToken);
            _held.AsSpan(fromHeld, _count - fromHeld).CopyTo(_held);
            _count -= fromHeld;
        }

        var fromBuffer = passed - fromHeld;
        if (fromBuffer > 0)
            await destination.WriteAsync(buffer[..fromBuffer], cancellationToken);
        buffer[fromBuffer..].Span.CopyTo(_held.AsSpan(_count));
        _count += buffer.Length - fromBuffer;
    }

    /// <summary>Passes on what is held.</summary>
    public async Task ReleaseAsync(CancellationToken cancellationToken)
    {
        await destination.WriteAsync(_held.AsMemory(0, _count), cancellationToken);
        _count = 0;
    }
}
