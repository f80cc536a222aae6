using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// The body of an answer. Whatever ends it early is one kind of failure, and so is that nothing comes for a while.
/// </summary>
/// <param name="response">Disposed of with it.</param>
/// <param name="body">The response's.</param>
/// <param name="what">What is read, for messages.</param>
/// <param name="idle">How long nothing may come.</param>
internal sealed class WatchedBody(IDisposable response, Stream body, string what, TimeSpan idle) : ForwardOnlyStream
{
    /// <summary>Of a server that is there: its parts lie ready when it begins to answer.</summary>
    public static readonly TimeSpan DefaultIdle = TimeSpan.FromSeconds(60);

    /// <summary>Of a <c>zfs send</c>, which says nothing while it looks for what to send.</summary>
    public static readonly TimeSpan LiveIdle = TimeSpan.FromMinutes(15);

    private CancellationTokenSource? _watch;
    private CancellationToken _watched;

    public override bool CanRead => true;

    /// <exception cref="OperationException">The connection broke, or nothing came for too long
    /// (<see cref="ExitCode.Unreachable"/>).</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var watch = Watch(cancellationToken);
        watch.CancelAfter(idle);
        try
        {
            return await body.ReadAsync(buffer, watch.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Broken($"The server sent nothing of {what} for {idle.TotalSeconds:0} s.", e);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw Broken($"The connection broke while {what} was read: {e.Message}", e);
        }
        finally
        {
            watch.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _watch?.Dispose();
            body.Dispose();
            response.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>One for all reads, as long as they are given the same token.</summary>
    private CancellationTokenSource Watch(CancellationToken cancellationToken)
    {
        if (_watch is not null && _watched == cancellationToken)
            return _watch;
        _watch?.Dispose();
        _watched = cancellationToken;
        return _watch = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    }

    private static OperationException Broken(string message, Exception e) =>
        new(ExitCode.Unreachable, message, "Run the command again.", e);
}
