using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// The body of a part. Its length is known, and its client has it in memory, so reading it takes bounded time: reads
/// fail when nothing arrives, when the part takes too long as a whole, and when its slot is withdrawn.
/// </summary>
internal sealed class PartBody : ForwardOnlyStream
{
    private readonly Stream _inner;
    private readonly PartSlot _slot;
    private readonly TimeSpan _idle;
    private readonly CancellationToken _lifetime;
    private readonly CancellationTokenSource _end;
    private readonly CancellationTokenSource _tooLate;
    private readonly TimeSpan _most;
    private readonly int _size;

    /// <param name="inner">What is read; it is not disposed with this stream.</param>
    /// <param name="size">Bytes of the part.</param>
    /// <param name="idle">How long a read may bring nothing.</param>
    /// <param name="lifetime">Ends every read.</param>
    public PartBody(Stream inner, PartSlot slot, int size, TimeSpan idle, TimeProvider time, CancellationToken lifetime)
    {
        (_inner, _slot, _size, _idle, _lifetime) = (inner, slot, size, idle, lifetime);
        _most = Limits.PartTime(size);
        _tooLate = new CancellationTokenSource(_most, time);
        _end = CancellationTokenSource.CreateLinkedTokenSource(lifetime, slot.Withdrawn, _tooLate.Token);
    }

    public override bool CanRead => true;

    /// <exception cref="TimeoutException">Nothing arrived for too long, or not all in time.</exception>
    /// <exception cref="RequestException">The slot was withdrawn.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _slot.BeginWait();
        var count = 0;
        _end.CancelAfter(_idle);
        try
        {
            count = await _inner.ReadAsync(buffer, _end.Token);
            return count;
        }
        catch (OperationCanceledException e) when (!_lifetime.IsCancellationRequested)
        {
            throw Explain(e);
        }
        finally
        {
            _end.CancelAfter(Timeout.InfiniteTimeSpan);
            _slot.EndWait(count);
            if (_slot.Bytes >= _size)
                _slot.Complete();
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _end.Dispose();
            _tooLate.Dispose();
        }

        base.Dispose(disposing);
    }

    private Exception Explain(Exception e)
    {
        if (_slot.Withdrawn.IsCancellationRequested)
            return PartSlot.Lost();
        return new TimeoutException(
            _tooLate.IsCancellationRequested
                ? $"The part did not arrive within {_most.TotalSeconds:0} s."
                : $"Nothing came for {_idle.TotalSeconds:0} s.",
            e
        );
    }
}
