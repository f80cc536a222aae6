using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// The progress of a stream over several attempts, each of which begins where ZFS says, before the end of the last one.
/// Bytes received a second time do not count as progress: otherwise a stream that always breaks at the same point would
/// be retried forever.
/// </summary>
/// <param name="retry">The retries of the transfer.</param>
/// <param name="shown">Called with the number of bytes received; negative if an attempt begins before the end of the
/// last one.</param>
/// <param name="start">Bytes that an earlier run received.</param>
internal sealed class LiveProgress(RetryPolicy retry, Action<long> shown, long start)
{
    private long _position = start;
    private long _furthest = start;
    private int _failures;

    /// <summary>Counts received bytes.</summary>
    public void Add(long bytes)
    {
        _position += bytes;
        shown(bytes);
        if (_position <= _furthest)
            return;
        (_furthest, _failures) = (_position, 0);
        retry.Succeeded();
    }

    /// <summary>Sets the position, in bytes, at which the next attempt begins.</summary>
    public void RestartAt(long position)
    {
        shown(position - _position);
        _position = position;
    }

    /// <summary>Waits until the next attempt may begin.</summary>
    /// <exception cref="OperationException">The failure itself: it has lasted too long.</exception>
    public Task WaitAsync(OperationException failure, CancellationToken cancellationToken) =>
        retry.WaitAsync(failure, ++_failures, cancellationToken);
}
