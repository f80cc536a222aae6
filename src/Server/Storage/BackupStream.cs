using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// A backup's stored bytes, all its objects one after another. Parts are read ahead, several at once, each checked against its digest before
/// a byte of it is given out; one that is wrong is read once more, since its way here may be at fault.
/// </summary>
internal sealed class BackupStream : Stream
{
    private const int MaxPartsAhead = 4;

    private readonly IObjectStore _store;
    private readonly PartBuffers.Share _buffers;
    private readonly IReadOnlyList<Place> _parts;
    private readonly Queue<Task<byte[]>> _ahead = new();
    private readonly CancellationTokenSource _closed = new();
    private long _position;
    private int _next; // the part to be read ahead next
    private int _current = -1; // the part that _buffer holds
    private byte[]? _buffer;

    public BackupStream(IObjectStore store, PartBuffers buffers, IReadOnlyList<StoredObject> objects)
    {
        _store = store;
        _buffers = buffers.Open();
        _parts = [.. PlacesOf(objects)];
        Length = _parts is [.., var last] ? last.Start + last.Part.Size : 0;
        ReadAheadEnd = Length;
    }

    public override long Length { get; }

    /// <summary>No part that begins here or later is read ahead: all that is asked for ends here.</summary>
    public long ReadAheadEnd { get; set; }

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

    /// <exception cref="StorageException">The part at the position is missing or damaged, or the store fails.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty || _position >= Length) return 0;
        await PrepareAsync(cancellationToken).ConfigureAwait(false);
        var part = _parts[_current];
        var offset = (int)(_position - part.Start);
        var count = Math.Min(buffer.Length, part.Part.Size - offset);
        _buffer.AsMemory(offset, count).CopyTo(buffer);
        _position += count;
        return count;
    }

    /// <summary>Sees to it that the part at the position is here, and right.</summary>
    public async ValueTask PrepareAsync(CancellationToken cancellationToken)
    {
        if (_position >= Length || (_current >= 0 && _parts[_current].Holds(_position))) return;
        var wanted = IndexOf(_position);
        if (_current < 0 || wanted != _current + 1) await StartAtAsync(wanted).ConfigureAwait(false);
        ReturnCurrent();
        if (_ahead.Count == 0) Enqueue(await _buffers.TakeAsync(_parts[_next].Part.Size, cancellationToken).ConfigureAwait(false));
        ReadFurtherAhead();
        _buffer = await _ahead.Peek().WaitAsync(cancellationToken).ConfigureAwait(false);
        _ = _ahead.Dequeue();
        _current = wanted;
    }

    public override long Seek(long offset, SeekOrigin origin)
    {
        Position = offset + (origin switch { SeekOrigin.Begin => 0, SeekOrigin.Current => _position, _ => Length });
        return _position;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Parts are read asynchronously.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("What is stored is never changed.");

    public override void SetLength(long value) => throw new NotSupportedException("What is stored is never changed.");

    public override void Flush()
    {
        // Nothing is written here.
    }

    public override async ValueTask DisposeAsync()
    {
        if (_closed.IsCancellationRequested) return; // ASP.NET disposes twice
        await _closed.CancelAsync().ConfigureAwait(false);
        await DropAheadAsync().ConfigureAwait(false);
        ReturnCurrent();
        _buffers.Dispose();
        _closed.Dispose();
        await base.DisposeAsync().ConfigureAwait(false);
    }

    private static IEnumerable<Place> PlacesOf(IReadOnlyList<StoredObject> objects)
    {
        var start = 0L;
        foreach (var stored in objects)
        {
            var offset = 0L;
            foreach (var part in stored.Parts)
            {
                yield return new Place(stored.Key, offset, start + offset, part);
                offset += part.Size;
            }

            start += offset;
        }
    }

    private int IndexOf(long position)
    {
        var (low, high) = (0, _parts.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (_parts[middle].Start <= position) low = middle;
            else high = middle - 1;
        }

        return low;
    }

    /// <summary>Reads on from another part than the one that follows.</summary>
    private async ValueTask StartAtAsync(int part)
    {
        await DropAheadAsync().ConfigureAwait(false);
        _next = part;
    }

    /// <summary>As far as there are buffers to spare.</summary>
    private void ReadFurtherAhead()
    {
        while (_ahead.Count < MaxPartsAhead && _next < _parts.Count && _parts[_next].Start < ReadAheadEnd && _buffers.TryTake(_parts[_next].Part.Size) is { } buffer) Enqueue(buffer);
    }

    private void Enqueue(byte[] buffer) => _ahead.Enqueue(ReadPartAsync(_parts[_next++], buffer));

    private async Task<byte[]> ReadPartAsync(Place place, byte[] buffer)
    {
        try
        {
            var content = buffer.AsMemory(0, place.Part.Size);
            for (var attempt = 1; ; attempt++)
            {
                await _store.ReadAsync(place.Key, place.Offset, content, _closed.Token).ConfigureAwait(false);
                if (place.Part.Sha256 is null) return buffer;
                var digest = await Task.Run(() => StoredPart.Of(content.Span).Sha256).ConfigureAwait(false); // beside the reader, on another core
                if (digest == place.Part.Sha256) return buffer;
                if (attempt == 2) throw new StorageException(StorageFault.Damaged, $"The bytes {place.Offset} to {place.Offset + place.Part.Size - 1} of {place.Key} are not those that were stored: their SHA-256 is {digest}, not {place.Part.Sha256}.");
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
            if (part.IsCompletedSuccessfully) _buffers.Return(await part.ConfigureAwait(false));
        }
    }

    private void ReturnCurrent()
    {
        if (_buffer is not null) _buffers.Return(_buffer);
        (_buffer, _current) = (null, -1);
    }

    /// <param name="Key">The object.</param>
    /// <param name="Offset">Where the part begins in the object.</param>
    /// <param name="Start">Where it begins in the backup.</param>
    private sealed record Place(string Key, long Offset, long Start, StoredPart Part)
    {
        public bool Holds(long position) => position >= Start && position < Start + Part.Size;
    }
}
