namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// A stream whose reads fail if nothing arrives for a while. Time between two reads does not count, and there is no
/// limit on the whole time: streams may take days. One read at a time.
/// </summary>
/// <param name="inner">What is read; it is not disposed with this stream.</param>
/// <param name="idle">How long a read may bring nothing.</param>
/// <param name="lifetime">Ends every read, and then the tokens of single reads are ignored; null: each read's own
/// token ends it.</param>
public sealed class IdleTimeoutStream(Stream inner, TimeSpan idle, CancellationToken? lifetime = null)
    : ForwardOnlyStream
{
    private CancellationTokenSource? _timer;
    private CancellationToken _linked;

    public override bool CanRead => true;

    /// <exception cref="TimeoutException">Nothing arrived for too long.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var stop = lifetime ?? cancellationToken;
        var timer = TimerOf(stop);
        timer.CancelAfter(idle);
        try
        {
            return await inner.ReadAsync(buffer, timer.Token);
        }
        catch (OperationCanceledException e) when (!stop.IsCancellationRequested)
        {
            throw new TimeoutException($"Nothing came for {idle.TotalSeconds:0} s.", e);
        }
        finally
        {
            timer.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _timer?.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>One timer serves all reads as long as they are given the same token.</summary>
    private CancellationTokenSource TimerOf(CancellationToken stop)
    {
        if (_timer is not null && _linked == stop)
            return _timer;
        _timer?.Dispose();
        _linked = stop;
        _timer = CancellationTokenSource.CreateLinkedTokenSource(stop);
        return _timer;
    }
}
