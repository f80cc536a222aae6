namespace ZfsSnapshotManager.Core.Api;

/// <summary>A stream that may have so many bytes and no more, read asynchronously. The other one stays open.</summary>
/// <param name="moved">Called after each read that returned something; may be null.</param>
internal sealed class LimitedStream(Stream stream, long most, Action? moved = null) : ForwardOnlyStream
{
    private long _read;

    public override bool CanRead => true;

    /// <exception cref="InvalidDataException">It has more bytes.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await stream.ReadAsync(buffer, cancellationToken);
        _read += count;
        if (count > 0)
            moved?.Invoke();
        return _read <= most ? count : throw new InvalidDataException($"it has more than {most} bytes");
    }
}
