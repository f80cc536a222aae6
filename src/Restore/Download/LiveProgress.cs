using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// How far a stream came over several attempts, of which each begins where ZFS says, before the end of the last one.
/// Bytes that came before are no progress: a stream that always breaks at the same place would else be tried for ever.
/// </summary>
/// <param name="retry">For a server that is unreachable for a while.</param>
/// <param name="shown">Told of bytes as they come; less than 0 where an attempt begins before the end of the last
/// one.</param>
/// <param name="start">Bytes that an earlier run received.</param>
internal sealed class LiveProgress(RetryPolicy retry, Action<long> shown, long start)
{
    private long _place = start;
    private long _furthest = start;
    private int _failures;

    /// <summary>Bytes came.</summary>
    public void Add(long bytes)
    {
        _place += bytes;
        shown(bytes);
        if (_place <= _furthest)
            return;
        (_furthest, _failures) = (_place, 0);
        retry.Succeeded();
    }

    /// <summary>The next attempt begins there.</summary>
    public void GoTo(long place)
    {
        shown(place - _place);
        _place = place;
    }

    /// <summary>Waits until the next attempt may begin.</summary>
    /// <exception cref="OperationException">The failure itself: patience is over.</exception>
    public Task WaitAsync(OperationException failure, CancellationToken cancellationToken) =>
        retry.WaitAsync(failure, ++_failures, cancellationToken);
}
