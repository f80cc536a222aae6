namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Stored bytes with those put back in front that were read already: what remains when the data are not made of
/// blocks, or their last block is cut off.
/// </summary>
/// <param name="first">The bytes that were read already.</param>
/// <param name="rest">The bytes after them.</param>
/// <param name="isCutBlock">Whether they are the beginning of a block whose end is missing. What of it can be
/// decompressed is useful to callers that continue the stream.</param>
internal sealed class PushbackStream(ReadOnlyMemory<byte> first, StoredBytesReader rest, bool isCutBlock)
    : ForwardOnlyStream
{
    private ReadOnlyMemory<byte> _first = first;

    public override bool CanRead => true;

    public bool IsCutBlock => isCutBlock;

    /// <summary>True once a read has returned nothing, and not only the last byte.</summary>
    public bool EndWasRead { get; private set; }

    /// <summary>Returns the next bytes without copying them: valid until the next call; empty at the end.</summary>
    /// <param name="count">The most to return; it may be fewer.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    public async ValueTask<ReadOnlyMemory<byte>> ReadSliceAsync(int count, CancellationToken cancellationToken)
    {
        if (_first.IsEmpty)
        {
            var slice = await rest.ReadSliceAsync(count, cancellationToken);
            EndWasRead = slice.IsEmpty;
            return slice;
        }

        var putBack = _first[..Math.Min(count, _first.Length)];
        _first = _first[putBack.Length..];
        return putBack;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        var slice = await ReadSliceAsync(buffer.Length, cancellationToken);
        slice.CopyTo(buffer);
        return slice.Length;
    }
}
