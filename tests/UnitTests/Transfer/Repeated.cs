using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.UnitTests.Transfer;

/// <summary>The same bytes several times, and then an end or an error.</summary>
internal sealed class Repeated(byte[] bytes, int times) : ForwardOnlyStream
{
    private long _next;

    public Exception? FailsWith { get; init; }

    public override bool CanRead => true;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_next == (long)bytes.Length * times)
            return FailsWith is null ? ValueTask.FromResult(0) : ValueTask.FromException<int>(FailsWith);
        var start = (int)(_next % bytes.Length);
        var count = Math.Min(buffer.Length, bytes.Length - start);
        bytes.AsMemory(start, count).CopyTo(buffer);
        _next += count;
        return ValueTask.FromResult(count);
    }
}
