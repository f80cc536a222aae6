using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// The progress of a stream over several attempts, each of which begins where ZFS says, before the end of the last one.
/// Bytes received a second time do not count as progress: otherwise a stream that always breaks at the same point would
/// be retried forever.
/// </summary>
/// <param name="retry">For a server that is unreachable for a while.</param>
/// <param name="shown">Told of bytes as they come; less than 0 where an attempt begins before the end of the last
/// one.</param>
/// <param name="start">Bytes that an earlier run received.</param>
internal sealed class LiveProgress(RetryPolicy retry, Action<long> shown, long start)
{
    private long _position = start;
    private long _furthest = start;
    private int _failures;

    /// <summary>Bytes came.</summary>
    public void Add(long bytes)
    {
        _position += bytes;
        shown(bytes);
        if (_position <= _furthest)
            return;
        (_furthest, _failures) = (_position, 0);
        retry.Succeeded();
    }

    /// <summary>The next attempt begins there.</summary>
    public void RestartAt(long position)
    {
        shown(position - _position);
        _position = position;
    }

    /// <summary>Waits until the next attempt may begin.</summary>
    /// <exception cref="OperationException">The failure itself: patience is over.</exception>
    public Task WaitAsync(OperationException failure, CancellationToken cancellationToken) =>
        retry.WaitAsync(failure, ++_failures, cancellationToken);
}
