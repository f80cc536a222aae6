using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>An object that a test writes: keeps the store's answer for each part.</summary>
internal sealed class ObjectParts(IObjectStore store, IObjectWriter writer) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<int, WrittenPart> _parts = [];

    public IObjectWriter Writer => writer;

    public static async Task<ObjectParts> BeginAsync(
        IObjectStore store,
        string key,
        string uploadId,
        bool resumable = false
    ) => new(store, await store.CreateAsync(key, uploadId, resumable, TestContext.Current.CancellationToken));

    /// <summary>Parts of one size, except the last.</summary>
    public Task WritePartAsync(int number, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        WritePartAsync(number, (long)number * store.PartSize, content, cancellationToken);

    public async Task WritePartAsync(
        int number,
        long offset,
        ReadOnlyMemory<byte> content,
        CancellationToken cancellationToken
    )
    {
        var written = await writer.WritePartAsync(
            number,
            offset,
            content,
            StoredPart.Of(content.Span).Sha256!,
            cancellationToken
        );
        lock (_lock)
            _parts[number] = written;
    }

    public Task CompleteAsync(CancellationToken cancellationToken) =>
        writer.CompleteAsync([.. _parts.Values], cancellationToken);

    /// <summary>The same object by another store, as after a restart.</summary>
    public ObjectParts ReopenBy(IObjectStore other, string key, string uploadId)
    {
        var again = new ObjectParts(other, other.Reopen(key, uploadId, writer.Token));
        foreach (var (number, part) in _parts)
            again._parts[number] = part;
        return again;
    }

    public ValueTask DisposeAsync() => writer.DisposeAsync();
}
