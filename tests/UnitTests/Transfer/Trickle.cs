using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.UnitTests.Transfer;

/// <summary>Returns some bytes at a time, like a socket.</summary>
internal sealed class Trickle(byte[] bytes) : ForwardOnlyStream
{
    private int _next;

    public override bool CanRead => true;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = Math.Min(Math.Min(buffer.Length, 7001), bytes.Length - _next);
        bytes.AsMemory(_next, count).CopyTo(buffer);
        _next += count;
        return ValueTask.FromResult(count);
    }
}
