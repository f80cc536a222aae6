using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// Buffers for blocks: a fixed number of slots, each with room for a usual block; a larger block occupies several.
/// Arrays are allocated once and reused. Exactly one thread may rent, any thread may return: two threads that each hold
/// some slots and wait for more would wait for each other.
/// </summary>
internal sealed class BlockBuffers(int slots, int slotSize) : IDisposable
{
    private readonly SemaphoreSlim _available = new(slots);
    private readonly ConcurrentBag<byte[]> _usual = [];
    private byte[]? _large;

    /// <summary>Bytes of a usual buffer.</summary>
    public int SlotSize => slotSize;

    /// <summary>Waits until slots are available. The rented array may be larger than requested.</summary>
    /// <param name="size">In bytes. A block larger than all slots together waits for all but one: the renting thread
    /// may itself hold one other buffer.</param>
    public BlockBuffer Rent(int size, CancellationToken cancellationToken)
    {
        var needed = Math.Clamp((size + slotSize - 1) / slotSize, 1, Math.Max(slots - 1, 1));
        for (var slot = 0; slot < needed; slot++)
            _available.Wait(cancellationToken);
        return new BlockBuffer(this, size <= slotSize ? RentUsual() : RentLarge(size), needed);
    }

    public void Dispose() => _available.Dispose();

    internal void Return(byte[] array, int occupied)
    {
        if (array.Length == slotSize)
            _usual.Add(array);
        else
            _large = array;
        _available.Release(occupied);
    }

    private byte[] RentUsual() =>
        _usual.TryTake(out var array) ? array : GC.AllocateUninitializedArray<byte>(slotSize, pinned: true);

    /// <summary>
    /// One large array is retained: in a dataset with records of 16 MiB, nearly every block needs one.
    /// </summary>
    private byte[] RentLarge(int size)
    {
        var retained = Interlocked.Exchange(ref _large, null);
        return retained?.Length >= size ? retained : GC.AllocateUninitializedArray<byte>(size, pinned: true);
    }
}

/// <summary>A rented buffer; disposing it returns it.</summary>
internal sealed class BlockBuffer(BlockBuffers owner, byte[] array, int slots) : IDisposable
{
    private byte[]? _array = array;

    public byte[] Array => _array ?? throw new ObjectDisposedException(nameof(BlockBuffer));

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _array, null) is { } returned)
            owner.Return(returned, slots);
    }
}
