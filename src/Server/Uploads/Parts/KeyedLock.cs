namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>Lets one caller at a time work on a key. Callers with other keys do not wait for it.</summary>
internal sealed class KeyedLock
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <returns>Leaves when it is disposed.</returns>
    public async Task<IDisposable> EnterAsync(string key, CancellationToken cancellationToken)
    {
        Entry entry;
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out entry!))
                _entries[key] = entry = new Entry(this, key);
            entry.Users++;
        }

        try
        {
            await entry.Turn.WaitAsync(cancellationToken);
            return entry;
        }
        catch
        {
            Forget(entry);
            throw;
        }
    }

    private void Forget(Entry entry)
    {
        lock (_lock)
        {
            if (--entry.Users > 0)
                return;
            _entries.Remove(entry.Key);
        }

        entry.Turn.Dispose();
    }

    private sealed class Entry(KeyedLock owner, string key) : IDisposable
    {
        public string Key => key;

        public SemaphoreSlim Turn { get; } = new(1);

        /// <summary>Callers inside and waiting.</summary>
        public int Users { get; set; }

        public void Dispose()
        {
            Turn.Release();
            owner.Forget(this);
        }
    }
}
