using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// Buffers for blocks: a fixed number of slots, each with room for a usual block; a larger block takes several. Arrays
/// are made once and used again. One thread rents, any give back: a second that rents could wait for the first while
/// that waits for it.
/// </summary>
internal sealed class BlockBuffers(int slots, int slotSize) : IDisposable
{
    private readonly SemaphoreSlim _free = new(slots);
    private readonly ConcurrentBag<byte[]> _usual = [];
    private byte[]? _large;

    /// <summary>Bytes of a usual buffer.</summary>
    public int SlotSize => slotSize;

    /// <summary>Waits until there is room; the rented array may be larger than asked for.</summary>
    /// <param name="size">A block that is larger than all slots together waits until it is nearly alone: the one who
    /// rents may hold one other.</param>
    public BlockBuffer Rent(int size, CancellationToken cancellationToken)
    {
        var taken = Math.Clamp((size + slotSize - 1) / slotSize, 1, Math.Max(slots - 1, 1));
        for (var slot = 0; slot < taken; slot++)
            _free.Wait(cancellationToken);
        return new BlockBuffer(this, size <= slotSize ? RentUsual() : RentLarge(size), taken);
    }

    public void Dispose() => _free.Dispose();

    internal void Return(byte[] array, int taken)
    {
        if (array.Length == slotSize)
            _usual.Add(array);
        else
            _large = array;
        _free.Release(taken);
    }

    private byte[] RentUsual() =>
        _usual.TryTake(out var array) ? array : GC.AllocateUninitializedArray<byte>(slotSize, pinned: true);

    /// <summary>One is kept: where a dataset has records of 16 MiB, nearly every block needs one.</summary>
    private byte[] RentLarge(int size)
    {
        var kept = Interlocked.Exchange(ref _large, null);
        return kept?.Length >= size ? kept : GC.AllocateUninitializedArray<byte>(size, pinned: true);
    }
}

/// <summary>A rented buffer; disposing it gives it back.</summary>
internal sealed class BlockBuffer(BlockBuffers owner, byte[] array, int slots) : IDisposable
{
    private byte[]? _array = array;

    public byte[] Array => _array ?? throw new ObjectDisposedException(nameof(BlockBuffer));

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _array, null) is { } given)
            owner.Return(given, slots);
    }
}
