using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The layouts of the backups that were read last. Without them, each range of a backup would cost reading and parsing
/// its manifest and finding its objects. The latest layout always stays, others while all of them have room. Requests
/// that need the same layout at the same time share one reading of it.
/// </summary>
internal sealed class BackupLayouts
{
    /// <summary>1.6 million parts: 12 TiB in parts of 8 MiB.</summary>
    private const long MaxMemory = 64L * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<BackupName, Reading> _readings = [];

    private readonly Dictionary<BackupName, LinkedListNode<(BackupName Name, BackupLayout Layout)>> _layouts = [];

    // The most recently read one first.
    private readonly LinkedList<(BackupName Name, BackupLayout Layout)> _order = new();
    private long _memory;

    /// <param name="backup">As it is listed now: a backup that is no longer listed cannot be requested.</param>
    /// <returns>Null if it is not kept here.</returns>
    public BackupLayout? Find(SnapshotInfo backup)
    {
        lock (_lock)
            return Find(BackupName.Of(backup));
    }

    /// <summary>Returns the layout that is kept, or waits until it is read.</summary>
    /// <param name="backup">As it is listed now.</param>
    /// <param name="read">Reads it, or returns null if none exists. Its token ends when no request waits.</param>
    /// <returns>What was read; only a layout is kept.</returns>
    public async Task<BackupLayout?> GetAsync(
        SnapshotInfo backup,
        Func<CancellationToken, Task<BackupLayout?>> read,
        CancellationToken cancellationToken
    )
    {
        var name = BackupName.Of(backup);
        Reading? reading;
        lock (_lock)
        {
            if (Find(name) is { } known)
                return known;
            if (!_readings.TryGetValue(name, out reading))
            {
                reading = new Reading();
                _readings.Add(name, reading);
                reading.Begin(stop => ReadAsync(name, read, stop));
            }

            reading.Waiting++;
        }

        try
        {
            return await reading.Layout.WaitAsync(cancellationToken);
        }
        finally
        {
            await LeaveAsync(name, reading);
        }
    }

    /// <summary>Removes a layout that turned out to be wrong.</summary>
    public void Remove(SnapshotInfo backup)
    {
        lock (_lock)
            Remove(BackupName.Of(backup));
    }

    private BackupLayout? Find(BackupName name)
    {
        if (!_layouts.TryGetValue(name, out var node))
            return null;
        _order.Remove(node);
        _order.AddFirst(node);
        return node.Value.Layout;
    }

    private async Task<BackupLayout?> ReadAsync(
        BackupName name,
        Func<CancellationToken, Task<BackupLayout?>> read,
        CancellationToken cancellationToken
    )
    {
        var layout = await read(cancellationToken);
        if (layout is not null)
        {
            lock (_lock)
                Add(name, layout);
        }

        return layout;
    }

    private void Add(BackupName name, BackupLayout layout)
    {
        Remove(name);
        _layouts.Add(name, _order.AddFirst((name, layout)));
        _memory += layout.MemorySize;
        while (_order is { Count: > 1, Last: { } last } && _memory > MaxMemory)
            Remove(last.Value.Name);
    }

    private void Remove(BackupName name)
    {
        if (!_layouts.Remove(name, out var node))
            return;
        _order.Remove(node);
        _memory -= node.Value.Layout.MemorySize;
    }

    /// <summary>The last one that waited ends the reading: it is over, or nobody needs it.</summary>
    private async Task LeaveAsync(BackupName name, Reading reading)
    {
        lock (_lock)
        {
            if (--reading.Waiting > 0)
                return;
            _readings.Remove(name);
        }

        await reading.DisposeAsync();
    }

    private sealed class Reading : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();

        /// <summary>Requests that wait for it. Guarded by the lock of all layouts.</summary>
        public int Waiting { get; set; }

        public Task<BackupLayout?> Layout { get; private set; } = Task.FromResult<BackupLayout?>(null);

        /// <param name="read">On another thread: the caller holds the lock.</param>
        public void Begin(Func<CancellationToken, Task<BackupLayout?>> read) =>
            Layout = Task.Run(() => read(_stop.Token), CancellationToken.None);

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await ((Task)Layout).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stop.Dispose();
        }
    }

    /// <summary>
    /// Never the same for two backups: a key may be used again after a deletion, even for the same stream.
    /// </summary>
    private readonly record struct BackupName(string Key, string PartsSha256, DateTimeOffset ReceivedAt)
    {
        public static BackupName Of(SnapshotInfo backup) =>
            new(backup.StorageKey, backup.PartsSha256, backup.ReceivedAt);
    }
}
