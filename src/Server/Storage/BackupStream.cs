namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// A backup's stored bytes, all its objects one after another. Several parts are read ahead, each verified by its
/// digest before a byte of it is returned. A part with a wrong digest is read once more: it may have been damaged in
/// transit.
/// </summary>
internal sealed class BackupStream : Stream
{
    private const int MaxPartsAhead = 4;

    private readonly IObjectStore _store;
    private readonly PartBuffers.Share _buffers;
    private readonly BackupLayout _layout;
    private readonly Queue<Task<byte[]>> _ahead = new();
    private readonly CancellationTokenSource _closed = new();
    private long _position;
    private int _mostAhead = MaxPartsAhead;
    private int _next; // the part to be read ahead next
    private int _current = -1; // the part that _buffer holds
    private PartLocation _location; // of that part
    private byte[]? _buffer;

    public BackupStream(IObjectStore store, PartBuffers buffers, BackupLayout layout)
    {
        (_store, _layout, _buffers) = (store, layout, buffers.Open());
        ReadAheadEnd = Length;
    }

    public override long Length => _layout.Length;

    /// <summary>No part that begins here or later is read ahead: the request ends here.</summary>
    public long ReadAheadEnd { get; set; }

    /// <summary>Whether the part in memory was read to its end.</summary>
    public bool IsAtPartEnd => _current >= 0 && !_location.Holds(_position);

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    /// <exception cref="StorageException">The part at the position is missing or damaged, or the store
    /// fails.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        var slice = await ReadSliceAsync(buffer.Length, cancellationToken);
        slice.CopyTo(buffer);
        return slice.Length;
    }

    /// <summary>Returns the next bytes without copying them: valid until the next call; empty at the end.</summary>
    /// <param name="count">The most bytes to return; it may be fewer.</param>
    /// <exception cref="StorageException">The part at the position is missing or damaged, or the store
    /// fails.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadSliceAsync(int count, CancellationToken cancellationToken)
    {
        if (_position >= Length)
            return ReadOnlyMemory<byte>.Empty;
        await PrepareAsync(cancellationToken);
        Invariant.Require(_location.Holds(_position), "the part that is read holds the position");
        var offset = (int)(_position - _location.Start);
        var slice = _buffer.AsMemory(offset, Math.Min(count, _location.Size - offset));
        _position += slice.Length;
        return slice;
    }

    /// <summary>Waits until the part at the position is read and verified.</summary>
    public async ValueTask PrepareAsync(CancellationToken cancellationToken)
    {
        if (_position >= Length || (_current >= 0 && _location.Holds(_position)))
            return;
        var wanted = _layout.IndexOf(_position);
        if (_current < 0 || wanted != _current + 1)
            await StartAtAsync(wanted);
        else
            _mostAhead = MaxPartsAhead;
        ReturnCurrent();
        if (_ahead.Count == 0)
            Enqueue(await _buffers.RentAsync(_layout.PartAt(_next).Size, cancellationToken));
        ReadFurtherAhead();
        _buffer = await _ahead.Peek().WaitAsync(cancellationToken);
        _ = _ahead.Dequeue();
        (_current, _location) = (wanted, _layout.PartAt(wanted));
    }

    /// <summary>
    /// Returns all buffers. What is read next is read from the store again, one part and none ahead: the reader is
    /// slower than the store.
    /// </summary>
    public async ValueTask ReleaseAsync()
    {
        _mostAhead = 1;
        await DropAheadAsync();
        ReturnCurrent();
    }

    public override long Seek(long offset, SeekOrigin origin)
    {
        Position =
            offset
            + (
                origin switch
                {
                    SeekOrigin.Begin => 0,
                    SeekOrigin.Current => _position,
                    _ => Length,
                }
            );
        return _position;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("Read asynchronously.");

    public override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("Stored backups are never changed.");

    public override void SetLength(long value) => throw new NotSupportedException("Stored backups are never changed.");

    public override void Flush()
    {
        // Nothing is written here.
    }

    public override async ValueTask DisposeAsync()
    {
        if (_closed.IsCancellationRequested)
            return; // ASP.NET Core disposes response streams twice
        await _closed.CancelAsync();
        await DropAheadAsync();
        ReturnCurrent();
        _buffers.Dispose();
        _closed.Dispose();
        await base.DisposeAsync();
    }

    /// <summary>Starts reading at another part than the next one.</summary>
    private async ValueTask StartAtAsync(int part)
    {
        await DropAheadAsync();
        _next = part;
    }

    /// <summary>As far as buffers can be spared.</summary>
    private void ReadFurtherAhead()
    {
        while (
            _ahead.Count < _mostAhead
            && _next < _layout.PartCount
            && _layout.PartAt(_next) is var location
            && location.Start < ReadAheadEnd
            && _buffers.TryRent(location.Size) is { } buffer
        )
            Enqueue(buffer);
    }

    private void Enqueue(byte[] buffer) => _ahead.Enqueue(ReadPartAsync(_next++, buffer));

    private async Task<byte[]> ReadPartAsync(int part, byte[] buffer)
    {
        try
        {
            var location = _layout.PartAt(part);
            var content = buffer.AsMemory(0, location.Size);
            for (var attempt = 1; ; attempt++)
            {
                await _store.ReadAsync(location.Key, location.Offset, content, _closed.Token);
                // On another thread of the pool: this one may be needed to receive data.
                if (await Task.Run(() => _layout.FindDifference(part, content.Span)) is not { } difference)
                    return buffer;
                if (attempt == 2)
                    throw new StorageException(
                        StorageFault.Damaged,
                        $"The bytes {location.Offset} to {location.Offset + location.Size - 1} of {location.Key} are "
                            + "not those "
                            + $"that were stored: their SHA-256 is {difference.Is}, not {difference.Should}."
                    );
            }
        }
        catch
        {
            _buffers.Return(buffer);
            throw;
        }
    }

    private async ValueTask DropAheadAsync()
    {
        while (_ahead.TryDequeue(out var part))
        {
            await ((Task)part).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (part.IsCompletedSuccessfully)
                _buffers.Return(await part);
        }
    }

    private void ReturnCurrent()
    {
        if (_buffer is not null)
            _buffers.Return(_buffer);
        (_buffer, _current) = (null, -1);
    }
}
