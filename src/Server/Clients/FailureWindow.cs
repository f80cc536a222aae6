using System.Threading.RateLimiting;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// Counts failures in a window that starts with the first of them. When the limit is reached, nothing more is allowed
/// until the window ends. The framework's own windows do the same, but not by a <see cref="TimeProvider"/>.
/// </summary>
/// <param name="most">The most failures in one window.</param>
/// <param name="length">How long it lasts.</param>
/// <param name="time">The clock.</param>
/// <param name="ended">Called when the window is removed because it was idle.</param>
internal sealed class FailureWindow(int most, TimeSpan length, TimeProvider time, Action ended) : RateLimiter
{
    private readonly Lock _lock = new();
    private long _begun = time.GetTimestamp();
    private int _count;

    /// <summary>How long the window has had no failures to count; null while it has.</summary>
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

    /// <param name="permitCount">1: counts a failure. 0: only checks.</param>
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

    /// <summary>Does not wait for the window to end: the request is refused.</summary>
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
