using System.Buffers;

namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>
/// A pooled buffer in front of a <see cref="Stream"/>: a <see cref="SendStreamWriter"/> fills it, the writer's caller
/// flushes it.
/// </summary>
internal sealed class StreamOutput(Stream destination) : IBufferWriter<byte>, IDisposable
{
    /// <summary>From this fill on a flush is worthwhile; a slice of a reader's buffer fits behind it.</summary>
    private const int Full = 256 * 1024;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(2 * Full);
    private int _filled;

    /// <summary>Bytes that were written to the destination.</summary>
    public long Written { get; private set; }

    public void Advance(int count) => _filled += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        EnsureRoom(Math.Max(sizeHint, 1));
        return _buffer.AsMemory(_filled);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <summary>Writes the buffer out if that is worthwhile.</summary>
    public ValueTask FlushIfFullAsync(CancellationToken cancellationToken) =>
        _filled < Full ? ValueTask.CompletedTask : WriteOutAsync(cancellationToken);

    /// <summary>Writes the rest of the buffer out, and flushes the destination.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await WriteOutAsync(cancellationToken).ConfigureAwait(false);
        await destination.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    private async ValueTask WriteOutAsync(CancellationToken cancellationToken)
    {
        await destination.WriteAsync(_buffer.AsMemory(0, _filled), cancellationToken).ConfigureAwait(false);
        Written += _filled;
        _filled = 0;
    }

    private void EnsureRoom(int size)
    {
        if (_buffer.Length - _filled >= size)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, _filled + size));
        _buffer.AsSpan(0, _filled).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
