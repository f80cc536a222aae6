namespace ZfsSnapshotManager.Client.Upload;

/// <summary>Lets all lanes together send so many bytes in a second: who wants to send waits for its turn.</summary>
internal sealed class BandwidthLimit(long bytesPerSecond, TimeProvider time)
{
    /// <summary>What was not sent in this time may be sent later; more would be a burst.</summary>
    private static readonly TimeSpan Credit = TimeSpan.FromMilliseconds(50);

    private readonly long _start = time.GetTimestamp();
    private readonly Lock _lock = new();
    private TimeSpan _free;

    /// <summary>Bytes to ask for at once: a twentieth of a second's, so that the rate is even.</summary>
    public int SliceSize { get; } = (int)Math.Clamp(bytesPerSecond / 20, 512, 128 * 1024);

    /// <summary>Waits until so many bytes may be sent.</summary>
    public async ValueTask WaitAsync(int bytes, CancellationToken cancellationToken)
    {
        var wait = Take(bytes);
        if (wait > TimeSpan.Zero)
            await Task.Delay(wait, time, cancellationToken);
    }

    private TimeSpan Take(int bytes)
    {
        lock (_lock)
        {
            var now = time.GetElapsedTime(_start);
            if (_free < now - Credit)
                _free = now - Credit;
            var wait = _free - now;
            _free += TimeSpan.FromSeconds((double)bytes / bytesPerSecond);
            return wait;
        }
    }
}
