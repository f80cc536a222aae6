using System.Threading.RateLimiting;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// Counts failures for a time that begins with the first of them; when the most is reached, nothing more is allowed
/// until it is over. The framework's own windows would do the same, but not by a clock that tests can set.
/// </summary>
/// <param name="most">Failures in one window.</param>
/// <param name="length">How long it lasts.</param>
/// <param name="time">The clock.</param>
/// <param name="ended">Is told when the window is given up, because it was idle.</param>
internal sealed class FailureWindow(int most, TimeSpan length, TimeProvider time, Action ended) : RateLimiter
{
    private readonly Lock _lock = new();
    private long _begun = time.GetTimestamp();
    private int _count;

    /// <summary>How long it has had nothing to remember; null while it has.</summary>
    public override TimeSpan? IdleDuration
    {
        get
        {
            lock (_lock)
            {
                var elapsed = time.GetElapsedTime(_begun);
                if (_count == 0)
                    return elapsed;
                return elapsed >= length ? elapsed - length : null;
            }
        }
    }

    public override RateLimiterStatistics? GetStatistics() => null;

    /// <param name="permitCount">1: a failure. 0: only asks.</param>
    protected override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        lock (_lock)
        {
            var elapsed = time.GetElapsedTime(_begun);
            if (_count == 0 || elapsed >= length)
                (_begun, _count, elapsed) = (time.GetTimestamp(), 0, TimeSpan.Zero);
            if (_count >= most)
                return new Lease(length - elapsed);
            _count += permitCount;
            return new Lease(null);
        }
    }

    /// <summary>Nobody waits for a window: who may not try is told so.</summary>
    protected override ValueTask<RateLimitLease> AcquireAsyncCore(
        int permitCount,
        CancellationToken cancellationToken
    ) => ValueTask.FromResult(AttemptAcquireCore(permitCount));

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            ended();
        base.Dispose(disposing);
    }

    protected override ValueTask DisposeAsyncCore()
    {
        Dispose(disposing: true);
        return base.DisposeAsyncCore();
    }

    /// <param name="retryAfter">Null: granted.</param>
    private sealed class Lease(TimeSpan? retryAfter) : RateLimitLease
    {
        public override bool IsAcquired => retryAfter is null;

        public override IEnumerable<string> MetadataNames => retryAfter is null ? [] : [MetadataName.RetryAfter.Name];

        public override bool TryGetMetadata(string metadataName, out object? metadata)
        {
            metadata = metadataName == MetadataName.RetryAfter.Name ? retryAfter : null;
            return metadata is not null;
        }
    }
}
