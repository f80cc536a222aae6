namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The memory for parts on their way in and out, shared by all uploads and downloads. Each of them always gets a first
/// buffer, so that none waits for ever for the others; further ones only as far as the limit leaves room for those that
/// have none yet.
/// </summary>
/// <param name="partSize">Bytes that a part has at least; a buffer has room for what clients put on top.</param>
/// <param name="limit">How many there are before somebody has to wait.</param>
internal sealed class PartBuffers(int partSize, int limit)
{
    /// <summary>
    /// How long a newcomer, once, waits for the further buffers of others. Those of uploads come back soon; those of a
    /// restore that pauses may not.
    /// </summary>
    private static readonly TimeSpan NewcomersPatience = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A client's part ends with the block that fills it, and a block with the record that fills it: 1 MiB and, of all
    /// but datasets with very large records, 1 MiB more. A buffer that is not of the common size is not used again.
    /// What is not written to takes no memory.
    /// </summary>
    private const int Room = 2 * 1024 * 1024;

    private readonly int _bufferSize = partSize + Room;
    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _free = new();
    private TaskCompletionSource _returned = NewSignal();
    private int _shares;
    private int _used;
    private int _empty; // shares without a buffer
    private int _newcomers; // those of them that never had one
    private int _further; // buffers that are not their share's only one

    public int Limit { get; } = limit;

    /// <summary>
    /// How many can be in use at once, since each share gets a first one; as many are kept, for what is not kept is
    /// garbage that stays in memory for long.
    /// </summary>
    private int Most => Limit + Math.Max(_shares - 1, 0);

    /// <summary>
    /// A share of the buffers, for one upload or download; all of its buffers must be back when it is disposed.
    /// </summary>
    public Share Open()
    {
        lock (_lock)
            (_shares, _empty, _newcomers) = (_shares + 1, _empty + 1, _newcomers + 1);
        return new Share(this);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>One upload's or download's buffers.</summary>
    internal sealed class Share(PartBuffers owner) : IDisposable
    {
        private int _held;
        private bool _isNewcomer = true;
        private bool _disposed;

        /// <summary>A buffer now, or null where there is none to spare.</summary>
        /// <param name="size">The least it must hold: parts that were written under other settings may be larger than
        /// those of now.</param>
        public byte[]? TryTake(int size)
        {
            lock (owner._lock)
                return MayTake(impatient: false) ? Take(size) : null;
        }

        /// <summary>A buffer as soon as there is one.</summary>
        public async ValueTask<byte[]> TakeAsync(int size, CancellationToken cancellationToken)
        {
            var start = TimeProvider.System.GetTimestamp();
            while (true)
            {
                Task returned;
                lock (owner._lock)
                {
                    if (MayTake(TimeProvider.System.GetElapsedTime(start) >= NewcomersPatience))
                        return Take(size);
                    returned = owner._returned.Task;
                }

                await Task.WhenAny(returned, Task.Delay(NewcomersPatience, cancellationToken));
                cancellationToken.ThrowIfCancellationRequested();
            }
        }

        public void Return(byte[] buffer)
        {
            TaskCompletionSource signal;
            lock (owner._lock)
            {
                if (--_held == 0)
                    owner._empty++;
                else
                    owner._further--;
                owner._used--;
                if (buffer.Length == owner._bufferSize && owner._used + owner._free.Count < owner.Most)
                    owner._free.Push(buffer);
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
                if (_held == 0)
                    owner._empty--;
                if (_isNewcomer)
                    owner._newcomers--;
                while (owner._used + owner._free.Count > owner.Most && owner._free.TryPop(out _))
                {
                    // More than those that are left can use.
                }
            }
        }

        /// <remarks>
        /// Who had a buffer and is between two comes back for one, so that a newcomer must leave room for it; where
        /// nobody has a second buffer there is nothing to wait for.
        /// </remarks>
        private bool MayTake(bool impatient)
        {
            if (_held > 0)
                return owner._used + owner._empty < owner.Limit;
            return impatient
                || !_isNewcomer
                || owner._used + owner._empty - owner._newcomers < owner.Limit
                || owner._further == 0;
        }

        private byte[] Take(int size)
        {
            if (_held++ == 0)
                owner._empty--;
            else
                owner._further++;
            if (_isNewcomer)
                owner._newcomers--;
            _isNewcomer = false;
            owner._used++;
            // Pinned, for the collector never to move it; not cleared, for memory to be used only as far as it is
            // filled.
            return size <= owner._bufferSize && owner._free.TryPop(out var buffer)
                ? buffer
                : GC.AllocateUninitializedArray<byte>(Math.Max(size, owner._bufferSize), pinned: true);
        }
    }
}
