namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The memory for parts that are being received, stored or read, shared by all uploads and downloads. Each of them gets
/// its first buffer, whatever others hold: how many there are is limited elsewhere. Further buffers, which make a
/// transfer faster, are given only while few are in use; they come back soon, so a first one waits for them a moment.
/// </summary>
/// <param name="partSize">Bytes that a part has at least. A buffer also holds what clients send on top.</param>
/// <param name="limit">Number of buffers in use from which on nobody gets a further one, and a first one waits.</param>
internal sealed class PartBuffers(int partSize, int limit)
{
    /// <summary>
    /// A client's part ends with the block that fills it, and a block with the record that fills it: 1 MiB and, for all
    /// but datasets with very large records, 1 MiB more. A buffer of another size is not used again. Memory that is
    /// never written to is never committed by the kernel.
    /// </summary>
    private const int Room = 2 * 1024 * 1024;

    /// <summary>
    /// How long a first buffer waits for one that others hold besides their first: quick transfers return it by then,
    /// and stay within the limit. First buffers are not waited for: slow peers keep them.
    /// </summary>
    private static readonly TimeSpan FirstPatience = TimeSpan.FromSeconds(2);

    private readonly int _bufferSize = partSize + Room;
    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _unused = new();
    private int _used;

    /// <summary>Of these, how many are further ones of their transfers.</summary>
    private int _further;

    /// <summary>How many transfers wait for their first buffer.</summary>
    private int _newcomers;

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

        /// <summary>Under the lock. Further buffers leave room for first ones.</summary>
        private bool HasRoom =>
            _held == 0
                ? owner._used < owner.Limit || owner._further == 0
                : owner._used < owner.Limit && owner._newcomers == 0;

        /// <summary>Rents a buffer now; null if there is no room for one.</summary>
        /// <param name="size">Bytes it must hold. Parts that were written under other settings may be larger than those
        /// of now.</param>
        public byte[]? TryRent(int size)
        {
            lock (owner._lock)
                return HasRoom ? Take(size) : null;
        }

        /// <summary>
        /// Rents a buffer, when there is room for it. If this share holds none, it gets one after
        /// <see cref="FirstPatience"/> in any case.
        /// </summary>
        /// <inheritdoc cref="TryRent"/>
        public async ValueTask<byte[]> RentAsync(int size, CancellationToken cancellationToken)
        {
            Task? patience = null;
            try
            {
                while (true)
                {
                    Task returned;
                    lock (owner._lock)
                    {
                        if (HasRoom || (_held == 0 && patience is { IsCompleted: true }))
                            return Take(size);
                        if (_held == 0 && patience is null)
                        {
                            patience = Task.Delay(FirstPatience, cancellationToken);
                            owner._newcomers++;
                        }

                        returned = owner.NextReturn();
                    }

                    if (patience is not null)
                        returned = Task.WhenAny(returned, patience);
                    await returned.WaitAsync(cancellationToken);
                }
            }
            finally
            {
                if (patience is not null)
                    lock (owner._lock)
                        owner._newcomers--;
            }
        }

        public void Return(byte[] buffer)
        {
            lock (owner._lock)
            {
                if (--_held > 0)
                    owner._further--;
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
            if (_held++ > 0)
                owner._further++;
            return owner.Rent(size);
        }
    }
}
