namespace ZfsSnapshotManager.Client.Upload;

/// <summary>Limits the rate of all parts together. Callers wait until their bytes may be sent. Thread-safe.</summary>
internal sealed class BandwidthLimit(long bytesPerSecond, TimeProvider time)
{
    /// <summary>Bytes not sent within this time may be made up for; a longer time would allow bursts.</summary>
    private static readonly TimeSpan Credit = TimeSpan.FromMilliseconds(50);

    private readonly long _start = time.GetTimestamp();
    private readonly Lock _lock = new();
    private TimeSpan _nextSlot;

    /// <summary>Bytes to send at once: those of a twentieth of a second, so that the rate is even.</summary>
    public int SliceSize { get; } = (int)Math.Clamp(bytesPerSecond / 20, 512, 128 * 1024);

    /// <summary>Waits until <paramref name="bytes"/> bytes may be sent.</summary>
    public async ValueTask WaitAsync(int bytes, CancellationToken cancellationToken)
    {
        var wait = Reserve(bytes);
        if (wait > TimeSpan.Zero)
            await Task.Delay(wait, time, cancellationToken);
    }

    private TimeSpan Reserve(int bytes)
    {
        lock (_lock)
        {
            var now = time.GetElapsedTime(_start);
            if (_nextSlot < now - Credit)
                _nextSlot = now - Credit;
            var wait = _nextSlot - now;
            _nextSlot += TimeSpan.FromSeconds((double)bytes / bytesPerSecond);
            return wait;
        }
    }
}
