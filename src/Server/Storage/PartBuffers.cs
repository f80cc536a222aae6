namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The memory for parts that are being received, stored or read, shared by all uploads and downloads. Each of them gets
/// its first buffer at once, whatever others hold: how many there are is limited elsewhere. Further buffers, which make
/// a transfer faster, are given only while few are in use.
/// </summary>
/// <param name="partSize">Bytes that a part has at least. A buffer also holds what clients send on top.</param>
/// <param name="limit">Number of buffers in use from which on nobody gets a further one.</param>
internal sealed class PartBuffers(int partSize, int limit)
{
    /// <summary>
    /// A client's part ends with the block that fills it, and a block with the record that fills it: 1 MiB and, for all
    /// but datasets with very large records, 1 MiB more. A buffer of another size is not used again. Memory that is
    /// never written to is never committed by the kernel.
    /// </summary>
    private const int Room = 2 * 1024 * 1024;

    private readonly int _bufferSize = partSize + Room;
    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _unused = new();
    private int _used;

    /// <summary>Completed when a buffer is returned; null if nobody waits for that.</summary>
    private TaskCompletionSource? _returned;

    /// <summary>The fewest unused buffers since the last <see cref="Trim"/>.</summary>
    private int _leastUnused;

    public int Limit { get; } = limit;

    /// <summary>
    /// Opens a share of the buffers, for one upload, part or download. All of its buffers must be returned before it is
    /// disposed.
    /// </summary>
    public Share Open() => new(this);

    /// <summary>
    /// Drops the buffers that nobody needed since the last call. All others are kept: a buffer that is dropped is
    /// garbage, which stays in memory until it is collected.
    /// </summary>
    /// <returns>Bytes that were dropped.</returns>
    public long Trim()
    {
        lock (_lock)
        {
            var surplus = _leastUnused;
            for (var dropped = 0; dropped < surplus; dropped++)
                _unused.Pop();
            _leastUnused = _unused.Count;
            return (long)surplus * _bufferSize;
        }
    }

    /// <summary>Under the lock.</summary>
    private byte[] Rent(int size)
    {
        _used++;
        if (size <= _bufferSize && _unused.TryPop(out var buffer))
        {
            _leastUnused = Math.Min(_leastUnused, _unused.Count);
            return buffer;
        }

        // Pinned, so that the collector never moves it. Not cleared, so that memory is used only as far as the buffer
        // is filled.
        return GC.AllocateUninitializedArray<byte>(Math.Max(size, _bufferSize), pinned: true);
    }

    /// <summary>Under the lock.</summary>
    private void Return(byte[] buffer)
    {
        _used--;
        if (buffer.Length == _bufferSize)
            _unused.Push(buffer);
        _returned?.SetResult();
        _returned = null;
    }

    /// <summary>Under the lock.</summary>
    private Task NextReturn() =>
        (_returned ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>The buffers of one upload, part or download.</summary>
    internal sealed class Share(PartBuffers owner) : IDisposable
    {
        private int _held;

        /// <summary>Under the lock.</summary>
        private bool HasRoom => _held == 0 || owner._used < owner.Limit;

        /// <summary>Rents a buffer now; null if there is no room for one.</summary>
        /// <param name="size">Bytes it must hold. Parts that were written under other settings may be larger than those
        /// of now.</param>
        public byte[]? TryRent(int size)
        {
            lock (owner._lock)
                return HasRoom ? Take(size) : null;
        }

        /// <summary>Rents a buffer, when there is room for it.</summary>
        /// <inheritdoc cref="TryRent"/>
        public async ValueTask<byte[]> RentAsync(int size, CancellationToken cancellationToken)
        {
            while (true)
            {
                Task returned;
                lock (owner._lock)
                {
                    if (HasRoom)
                        return Take(size);
                    returned = owner.NextReturn();
                }

                await returned.WaitAsync(cancellationToken);
            }
        }

        public void Return(byte[] buffer)
        {
            lock (owner._lock)
            {
                _held--;
                owner.Return(buffer);
            }
        }

        public void Dispose()
        {
            lock (owner._lock)
                Invariant.Require(_held == 0, "a transfer returns all of its buffers before it ends");
        }

        private byte[] Take(int size)
        {
            _held++;
            return owner.Rent(size);
        }
    }
}
