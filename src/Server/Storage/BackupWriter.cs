using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Writes a stored stream of unknown length as parts, several at once, and begins a further object when one is full.
/// Nothing is visible in the store before <see cref="CompleteAsync"/>; without that call, disposing removes everything.
/// </summary>
internal sealed class BackupWriter(IObjectStore store, PartBuffers buffers, string key, string uploadId)
    : IAsyncDisposable
{
    /// <summary>More do not make an upload faster, and others need memory too.</summary>
    private const int MaxPartsInFlight = 4;

    private readonly PartBuffers.Share _buffers = buffers.Open();
    private readonly List<Task<Sent>> _inFlight = [];
    private readonly List<OpenObject> _objects = [];
    private string _key = key;
    private byte[]? _buffer;
    private int _filled;

    /// <summary>The objects as written, once <see cref="FinishAsync"/> has returned.</summary>
    public IReadOnlyList<StoredObject> Objects { get; private set; } = [];

    /// <summary>The parts of all objects, once <see cref="FinishAsync"/> has returned.</summary>
    public IReadOnlyList<StoredPart> Parts { get; private set; } = [];

    /// <summary>Gives the backup another key, as long as no object of it was begun.</summary>
    /// <returns>False if one was.</returns>
    public bool TryMove(string to)
    {
        if (_objects.Count > 0)
            return false;
        _key = to;
        return true;
    }

    /// <summary>Accepts the next bytes; waits while the most parts allowed are being written.</summary>
    /// <exception cref="StorageException">This or an earlier part cannot be stored.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        while (!block.IsEmpty)
        {
            if (_buffer is null)
                await NextBufferAsync(cancellationToken);
            var count = Math.Min(block.Length, store.PartSize - _filled);
            block[..count].CopyTo(_buffer.AsMemory(_filled));
            block = block[count..];
            _filled += count;
            if (_filled == store.PartSize)
                await SendBufferAsync(cancellationToken);
        }
    }

    /// <summary>
    /// Waits until all parts are stored. A stream of one part stays in memory until it is completed: it is stored in a
    /// single request.
    /// </summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        if (_buffer is not null && _objects.Count > 0)
            await SendBufferAsync(cancellationToken);
        if (_buffer is not null)
        {
            Parts = [StoredPart.Of(_buffer.AsSpan(0, _filled))];
            Objects = [new StoredObject { Key = _key, Size = _filled }];
            return;
        }

        List<StoredObject> objects = [];
        List<StoredPart> all = [];
        foreach (var written in _objects)
        {
            var parts = await Task.WhenAll(written.Parts);
            all.AddRange(parts.Select(sent => sent.Part));
            objects.Add(new StoredObject { Key = written.Key, Size = parts.Sum(sent => (long)sent.Part.Size) });
        }

        (Objects, Parts) = (objects, all);
    }

    /// <summary>Gives the objects their keys.</summary>
    /// <exception cref="StorageException">A key is in use, or the store fails. Objects that have a key by then keep
    /// it.</exception>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        if (_buffer is not null)
            await store.PutNewAsync(_key, _buffer.AsMemory(0, _filled), uploadId, ObjectKind.Stream, cancellationToken);
        foreach (var written in _objects)
        {
            var parts = await Task.WhenAll(written.Parts);
            await written.Writer.CompleteAsync([.. parts.Select(sent => sent.Written)], cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        // They use the buffers.
        await ((Task)Task.WhenAll(_inFlight)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var written in _objects)
            await written.Writer.DisposeAsync();
        if (_buffer is not null)
            _buffers.Return(_buffer);
        _buffer = null;
        _buffers.Dispose();
    }

    private async ValueTask NextBufferAsync(CancellationToken cancellationToken)
    {
        while (_inFlight.Count >= MaxPartsInFlight)
            await CollectNextAsync(cancellationToken);
        _buffer = await _buffers.RentAsync(store.PartSize, cancellationToken);
        _filled = 0;
        await CollectFinishedAsync();
    }

    private async ValueTask SendBufferAsync(CancellationToken cancellationToken)
    {
        if (_objects is [] || _objects[^1].Parts.Count == store.MaxParts)
            await BeginObjectAsync(cancellationToken);
        var (writer, parts) = (_objects[^1].Writer, _objects[^1].Parts);
        // Offsets are computed from numbers, so all parts but the last must have one size.
        Invariant.Require(
            _filled > 0 && _filled <= store.PartSize,
            $"part {parts.Count + 1} of {_objects[^1].Key} has between 1 and {store.PartSize} bytes"
        );
        var (buffer, content, number) = (_buffer!, _buffer.AsMemory(0, _filled), parts.Count);
        _buffer = null;
        var sending = Task.Run(SendAsync, CancellationToken.None); // it must run, since it returns the buffer
        parts.Add(sending);
        _inFlight.Add(sending);

        async Task<Sent> SendAsync()
        {
            try
            {
                var part = StoredPart.Of(content.Span);
                var written = await writer.WritePartAsync(
                    number,
                    (long)number * store.PartSize,
                    content,
                    part.Sha256!,
                    cancellationToken
                );
                return new Sent(part, written);
            }
            finally
            {
                _buffers.Return(buffer);
            }
        }
    }

    private async Task BeginObjectAsync(CancellationToken cancellationToken)
    {
        var name = StoredObject.KeyOf(_key, _objects.Count);
        _objects.Add(
            new OpenObject(name, await store.CreateAsync(name, uploadId, resumable: false, cancellationToken), [])
        );
    }

    private async Task CollectNextAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAny(_inFlight).WaitAsync(cancellationToken);
        await CollectFinishedAsync();
    }

    /// <summary>Collects parts that are stored, and throws what a failed one threw.</summary>
    private async Task CollectFinishedAsync()
    {
        foreach (var finished in _inFlight.Where(part => part.IsCompleted).ToList())
        {
            _inFlight.Remove(finished);
            await finished;
        }
    }

    private sealed record OpenObject(string Key, IObjectWriter Writer, List<Task<Sent>> Parts);

    private sealed record Sent(StoredPart Part, WrittenPart Written);
}
