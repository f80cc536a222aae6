namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>Hands on what it gets, but for the last bytes, which stay here until they are asked for.</summary>
/// <param name="destination">Where it goes; not disposed of.</param>
/// <param name="size">How many bytes stay.</param>
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

    /// <summary>Hands on what is left.</summary>
    public async ValueTask ReleaseAsync(CancellationToken cancellationToken)
    {
        await destination.WriteAsync(_tail.AsMemory(0, _held), cancellationToken);
        _held = 0;
    }
}
