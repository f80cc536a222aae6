namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Whether bytes arrive more slowly than a rate, averaged over a window. Only the time counts in which the server waits
/// for them: not while it checks or stores what it has. Safe for use by several threads.
/// </summary>
internal sealed class ArrivalRate(long bytesPerSecond, TimeSpan window, TimeProvider time)
{
    private readonly Lock _lock = new();
    private TimeSpan _waited;
    private long _bytes;
    private long? _waitingSince;
    private bool _wasBelow;

    /// <summary>False before the first window is over.</summary>
    public bool IsBelow
    {
        get
        {
            lock (_lock)
            {
                var waited = Waited();
                return waited >= window ? IsBelowIn(waited) : _wasBelow;
            }
        }
    }

    /// <summary>The server begins to wait for bytes.</summary>
    public void BeginWait()
    {
        lock (_lock)
            _waitingSince = time.GetTimestamp();
    }

    /// <summary>Some have arrived.</summary>
    public void EndWait(int bytes)
    {
        lock (_lock)
        {
            _waited = Waited();
            _waitingSince = null;
            _bytes += bytes;
            if (_waited < window)
                return;
            _wasBelow = IsBelowIn(_waited);
            (_waited, _bytes) = (TimeSpan.Zero, 0);
        }
    }

    private TimeSpan Waited() => _waited + (_waitingSince is { } since ? time.GetElapsedTime(since) : TimeSpan.Zero);

    private bool IsBelowIn(TimeSpan waited) => _bytes < bytesPerSecond * waited.TotalSeconds;
}
