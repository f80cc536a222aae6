using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

/// <summary>A store that does not answer; it counts who asks.</summary>
internal sealed class AbsentStore : IObjectStore
{
    public int Requests { get; private set; }

    public string Location => "nowhere";

    public int PartSize => 1024;

    public int MaxParts => 10;

    public DateTimeOffset? LockedUntil => null;

    public bool MayLackOwner => false;

    public void Prepare() => throw Fail();

    public Task PingAsync(CancellationToken cancellationToken) => throw Fail();

    public Task<TimeSpan?> FindClockDifferenceAsync(CancellationToken cancellationToken) => throw Fail();

    public Task<string?> FindEnclosingAsync(CancellationToken cancellationToken) => throw Fail();

    public Task<IObjectWriter> CreateAsync(
        string key,
        string uploadId,
        bool resumable,
        CancellationToken cancellationToken
    ) => throw Fail();

    public IObjectWriter Reopen(string key, string uploadId, string token) => throw Fail();

    public Task AbandonAsync(string key, string token, CancellationToken cancellationToken) => throw Fail();

    public Task PutNewAsync(
        string key,
        ReadOnlyMemory<byte> content,
        string uploadId,
        ObjectKind kind,
        CancellationToken cancellationToken
    ) => throw Fail();

    public Task ReplaceAsync(string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        throw Fail();

    public Task<ObjectFacts?> FindAsync(string key, CancellationToken cancellationToken) => throw Fail();

    public Task ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        throw Fail();

    public Task DeleteAsync(string key, CancellationToken cancellationToken) => throw Fail();

    public Task<DateTimeOffset?> LockAsync(string key, DateTimeOffset until, CancellationToken cancellationToken) =>
        throw Fail();

    public IAsyncEnumerable<ListedObject> ListAsync(string prefix, CancellationToken cancellationToken) => throw Fail();

    public Task<int> RemoveIncompleteAsync(
        DateTimeOffset begunBefore,
        IReadOnlySet<string> kept,
        CancellationToken cancellationToken
    ) => throw Fail();

    private StorageException Fail()
    {
        Requests++;
        return new StorageException(StorageFault.Unavailable, "It does not answer.");
    }
}
