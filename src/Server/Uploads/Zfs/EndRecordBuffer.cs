namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// Passes on what is written to it, except for the last bytes, which it holds until <see cref="ReleaseAsync"/>.
/// </summary>
/// <param name="destination">Where the bytes are passed on to; not disposed.</param>
/// <param name="size">How many bytes are held.</param>
internal sealed class EndRecordBuffer(Stream destination, int size)
{
    private readonly byte[] _tail = new byte[size];
    private int _held;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> slice, CancellationToken cancellationToken)
    {
        if (slice.Length >= size)
        {
            await ReleaseAsync(cancellationToken);
            await destination.WriteAsync(slice[..^size], cancellationToken);
            slice[^size..].CopyTo(_tail);
            _held = size;
            return;
        }

        var surplus = Math.Max(0, _held + slice.Length - size);
        await destination.WriteAsync(_tail.AsMemory(0, surplus), cancellationToken);
        _tail.AsSpan(surplus, _held - surplus).CopyTo(_tail);
        _held -= surplus;
        slice.CopyTo(_tail.AsMemory(_held));
        _held += slice.Length;
    }

    /// <summary>Passes on the bytes that are held.</summary>
    public async ValueTask ReleaseAsync(CancellationToken cancellationToken)
    {
        await destination.WriteAsync(_tail.AsMemory(0, _held), cancellationToken);
        _held = 0;
    }
}
