using System.Security.Cryptography;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Writes an object whose size turns out at its end: in a single request if it is no larger than a part, otherwise in
/// parts, of which one is in memory. Without <see cref="CompleteAsync"/>, disposing removes everything.
/// </summary>
internal sealed class GrowingObject(IObjectStore store, string key, string uploadId, ObjectKind kind) : IAsyncDisposable
{
    private readonly MemoryStream _part = new();
    private readonly List<WrittenPart> _written = [];
    private IObjectWriter? _writer;
    private long _offset;

    /// <exception cref="StorageException">It cannot be stored.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        while (!content.IsEmpty)
        {
            if (_part.Length == store.PartSize)
                await WritePartAsync(cancellationToken);
            var count = (int)Math.Min(content.Length, store.PartSize - _part.Length);
            _part.Write(content.Span[..count]);
            content = content[count..];
        }
    }

    /// <summary>Gives the object its key, and the store's retention.</summary>
    /// <exception cref="StorageException"><see cref="StorageFault.Exists"/>: the key is in use.</exception>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        if (_writer is null)
        {
            await store.PutNewAsync(key, Content, uploadId, kind, cancellationToken);
            return;
        }

        await WritePartAsync(cancellationToken);
        await _writer.CompleteAsync(_written, cancellationToken);
        // Some services (Ceph 16) lose the retention that an object in parts was begun with.
        if (store.LockedUntil is { } until)
            await store.LockAsync(key, until, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_writer is not null)
            await _writer.DisposeAsync();
        await _part.DisposeAsync();
    }

    private ReadOnlyMemory<byte> Content => _part.GetBuffer().AsMemory(0, (int)_part.Length);

    private async Task WritePartAsync(CancellationToken cancellationToken)
    {
        _writer ??= await store.CreateAsync(key, uploadId, resumable: false, cancellationToken);
        var digest = Convert.ToHexStringLower(SHA256.HashData(Content.Span));
        _written.Add(await _writer.WritePartAsync(_written.Count, _offset, Content, digest, cancellationToken));
        _offset += _part.Length;
        _part.SetLength(0);
    }
}
