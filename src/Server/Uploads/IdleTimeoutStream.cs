using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// A request's body that fails when nothing comes for a while. A total timeout would be wrong: streams take days.
/// </summary>
/// <param name="inner">The body.</param>
/// <param name="idle">How long nothing may come.</param>
/// <param name="cancellationToken">Ends every read; the tokens of single reads are not looked at.</param>
internal sealed class IdleTimeoutStream(Stream inner, TimeSpan idle, CancellationToken cancellationToken)
    : ForwardOnlyStream
{
    private readonly CancellationTokenSource _timer = CancellationTokenSource.CreateLinkedTokenSource(
        cancellationToken
    );
    private readonly CancellationToken _cancelled = cancellationToken;

    public override bool CanRead => true;

    /// <exception cref="TimeoutException">Nothing came.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _timer.CancelAfter(idle);
        try
        {
            return await inner.ReadAsync(buffer, _timer.Token);
        }
        catch (OperationCanceledException e) when (!_cancelled.IsCancellationRequested)
        {
            throw new TimeoutException($"Nothing came for {idle.TotalSeconds:0} s.", e);
        }
        finally
        {
            _timer.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _timer.Dispose();
        base.Dispose(disposing);
    }
}
