using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>Watches which buffers a store is handed, and how many at once.</summary>
internal sealed class WatchedStore(IObjectStore inner) : IObjectStore
{
    private readonly ConcurrentDictionary<byte[], bool> _buffers = new();
    private int _now;
    private int _most;

    /// <summary>The number of different arrays that came in parts or were passed out to be filled.</summary>
    public int Buffers => _buffers.Count;

    /// <summary>The largest number that the store held at one time.</summary>
    public int MostAtOnce => _most;

    public string Location => inner.Location;

    public int PartSize => inner.PartSize;

    public int MaxParts => inner.MaxParts;

    public DateTimeOffset? LockedUntil => inner.LockedUntil;

    public bool MayLackOwner => inner.MayLackOwner;

    public void Prepare() => inner.Prepare();

    public Task PingAsync(CancellationToken cancellationToken) => inner.PingAsync(cancellationToken);

    public Task<TimeSpan?> FindClockDifferenceAsync(CancellationToken cancellationToken) =>
        inner.FindClockDifferenceAsync(cancellationToken);

    public Task<string?> FindEnclosingAsync(CancellationToken cancellationToken) =>
        inner.FindEnclosingAsync(cancellationToken);

    public Task<DateTimeOffset?> LockAsync(string key, DateTimeOffset until, CancellationToken cancellationToken) =>
        inner.LockAsync(key, until, cancellationToken);

    public async Task<IObjectWriter> CreateAsync(
        string key,
        string uploadId,
        bool resumable,
        CancellationToken cancellationToken
    ) => new Writer(this, await inner.CreateAsync(key, uploadId, resumable, cancellationToken));

    public IObjectWriter Reopen(string key, string uploadId, string token) =>
        new Writer(this, inner.Reopen(key, uploadId, token));

    public Task AbandonAsync(string key, string token, CancellationToken cancellationToken) =>
        inner.AbandonAsync(key, token, cancellationToken);

    public Task PutNewAsync(
        string key,
        ReadOnlyMemory<byte> content,
        string uploadId,
        ObjectKind kind,
        CancellationToken cancellationToken
    ) => HoldAsync(content, () => inner.PutNewAsync(key, content, uploadId, kind, cancellationToken));

    public Task ReplaceAsync(string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        inner.ReplaceAsync(key, content, cancellationToken);

    public Task<ObjectFacts?> FindAsync(string key, CancellationToken cancellationToken) =>
        inner.FindAsync(key, cancellationToken);

    public Task ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        HoldAsync(destination, () => inner.ReadAsync(key, offset, destination, cancellationToken));

    public Task DeleteAsync(string key, CancellationToken cancellationToken) =>
        inner.DeleteAsync(key, cancellationToken);

    public IAsyncEnumerable<ListedObject> ListAsync(string prefix, CancellationToken cancellationToken) =>
        inner.ListAsync(prefix, cancellationToken);

    public Task<int> RemoveIncompleteAsync(
        DateTimeOffset begunBefore,
        IReadOnlySet<string> kept,
        CancellationToken cancellationToken
    ) => inner.RemoveIncompleteAsync(begunBefore, kept, cancellationToken);

    private async Task HoldAsync(ReadOnlyMemory<byte> content, Func<Task> work)
    {
        Assert.True(MemoryMarshal.TryGetArray(content, out var array));
        _buffers[array.Array!] = true;
        var now = Interlocked.Increment(ref _now);
        InterlockedMax(now);
        try
        {
            await work();
        }
        finally
        {
            Interlocked.Decrement(ref _now);
        }
    }

    private void InterlockedMax(int value)
    {
        int seen;
        while ((seen = _most) < value && Interlocked.CompareExchange(ref _most, value, seen) != seen)
            Thread.SpinWait(1);
    }

    private sealed class Writer(WatchedStore owner, IObjectWriter inner) : IObjectWriter
    {
        public string Token => inner.Token;

        public async Task<WrittenPart> WritePartAsync(
            int number,
            long offset,
            ReadOnlyMemory<byte> content,
            string sha256,
            CancellationToken cancellationToken
        )
        {
            WrittenPart written = default;
            await owner.HoldAsync(content, async () =>
                written = await inner.WritePartAsync(number, offset, content, sha256, cancellationToken)
            );
            return written;
        }

        public Task CompleteAsync(IEnumerable<WrittenPart> parts, CancellationToken cancellationToken) =>
            inner.CompleteAsync(parts, cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
