namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The memory for parts that are being received, stored or read, shared by all uploads and downloads. Each of them
/// always gets a first buffer, so that none waits forever for the others; further buffers only as far as the limit
/// leaves room for those that have none.
/// </summary>
/// <param name="partSize">Bytes that a part has at least. A buffer also holds what clients send on top.</param>
/// <param name="limit">Number of buffers from which on callers wait.</param>
/// <param name="time">The clock.</param>
internal sealed class PartBuffers(int partSize, int limit, TimeProvider time)
{
    /// <summary>
    /// How long a new share waits for further buffers of others. Each part of an upload is a share of its own. Buffers
    /// of uploads are returned soon; those of a restore that pauses may not be.
    /// </summary>
    private static readonly TimeSpan NewcomersPatience = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A client's part ends with the block that fills it, and a block with the record that fills it: 1 MiB and, for all
    /// but datasets with very large records, 1 MiB more. A buffer of another size is not used again. Memory that is
    /// never written to is never committed by the kernel.
    /// </summary>
    private const int Room = 2 * 1024 * 1024;

    private readonly int _bufferSize = partSize + Room;
    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _unused = new();
    private TaskCompletionSource _returned = NewSignal();
    private int _shares;

    /// <summary>Buffers that shares hold.</summary>
    private int _used;

    /// <summary>Of these, the ones that are not their share's only one.</summary>
    private int _further;

    /// <summary>Shares that never had a buffer.</summary>
    private int _newcomers;

    /// <summary>Shares that had a buffer and hold none now: they will ask for one shortly.</summary>
    private int _between;

    private enum ShareState
    {
        Newcomer,
        Holding,
        Between,
    }

    public int Limit { get; } = limit;

    /// <summary>
    /// The number of buffers that can be in use at once, since each share gets a first one. As many are kept: a buffer
    /// that is not kept becomes garbage, which stays in memory for long.
    /// </summary>
    private int MostKept => Limit + Math.Max(_shares - 1, 0);

    /// <summary>
    /// Opens a share of the buffers, for one upload, part or download. All of its buffers must be returned before it is
    /// disposed.
    /// </summary>
    public Share Open()
    {
        lock (_lock)
        {
            _shares++;
            _newcomers++;
        }

        return new Share(this);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The buffers of one upload, part or download.</summary>
    internal sealed class Share(PartBuffers owner) : IDisposable
    {
        private ShareState _state = ShareState.Newcomer;
        private int _held;
        private bool _disposed;

        /// <summary>Rents a buffer now; null if none can be spared.</summary>
        /// <param name="size">Bytes it must hold. Parts that were written under other settings may be larger than those
        /// of now.</param>
        public byte[]? TryRent(int size)
        {
            lock (owner._lock)
                return MayRent(isImpatient: false) ? Rent(size) : null;
        }

        /// <summary>Rents a buffer as soon as one can be spared.</summary>
        public async ValueTask<byte[]> RentAsync(int size, CancellationToken cancellationToken)
        {
            var start = owner.Time.GetTimestamp();
            while (true)
            {
                Task returned;
                lock (owner._lock)
                {
                    if (MayRent(owner.Time.GetElapsedTime(start) >= NewcomersPatience))
                        return Rent(size);
                    returned = owner._returned.Task;
                }

                await Task.WhenAny(returned, Task.Delay(NewcomersPatience, owner.Time, cancellationToken));
                cancellationToken.ThrowIfCancellationRequested();
            }
        }

        public void Return(byte[] buffer)
        {
            TaskCompletionSource signal;
            lock (owner._lock)
            {
                _held--;
                owner._used--;
                if (_held > 0)
                {
                    owner._further--;
                }
                else
                {
                    _state = ShareState.Between;
                    owner._between++;
                }

                if (buffer.Length == owner._bufferSize && owner._used + owner._unused.Count < owner.MostKept)
                    owner._unused.Push(buffer);
                (signal, owner._returned) = (owner._returned, NewSignal());
            }

            signal.SetResult();
        }

        public void Dispose()
        {
            lock (owner._lock)
            {
                if (_disposed)
                    return;
                _disposed = true;
                owner._shares--;
                if (_state == ShareState.Newcomer)
                    owner._newcomers--;
                if (_state == ShareState.Between)
                    owner._between--;
                owner.DropSurplus();
            }
        }

        private bool MayRent(bool isImpatient) =>
            _state switch
            {
                // A further buffer: one must remain for every share that has none.
                ShareState.Holding => owner._used + owner._newcomers + owner._between < owner.Limit,
                // The next first buffer: it was left for this share by the other two rules.
                ShareState.Between => true,
                // The first buffer: one must remain for every share between two. If no share has a further buffer,
                // waiting for one to be returned is pointless.
                _ => isImpatient || owner._used + owner._between < owner.Limit || owner._further == 0,
            };

        private byte[] Rent(int size)
        {
            if (_state == ShareState.Holding)
                owner._further++;
            if (_state == ShareState.Newcomer)
                owner._newcomers--;
            if (_state == ShareState.Between)
                owner._between--;
            _state = ShareState.Holding;
            _held++;
            owner._used++;
            if (size <= owner._bufferSize && owner._unused.TryPop(out var buffer))
                return buffer;
            // Pinned, so that the collector never moves it. Not cleared, so that memory is used only as far as the
            // buffer is filled.
            return GC.AllocateUninitializedArray<byte>(Math.Max(size, owner._bufferSize), pinned: true);
        }
    }

    private TimeProvider Time { get; } = time;

    /// <summary>Drops buffers that the remaining shares cannot use. Under the lock.</summary>
    private void DropSurplus()
    {
        while (_used + _unused.Count > MostKept && _unused.Count > 0)
            _unused.Pop();
    }
}
