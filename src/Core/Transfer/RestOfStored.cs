namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>Stored bytes of which the first were read already.</summary>
/// <param name="first">The first.</param>
/// <param name="rest">The others.</param>
/// <param name="isCutBlock">Whether they are the beginning of a block whose end is missing. What of it can be
/// decompressed is of use to who continues the stream.</param>
internal sealed class RestOfStored(ReadOnlyMemory<byte> first, StoredBytesReader rest, bool isCutBlock)
    : ForwardOnlyStream
{
    private ReadOnlyMemory<byte> _first = first;

    public override bool CanRead => true;

    public bool IsCutBlock => isCutBlock;

    /// <summary>True once the end was not only reached but also shown to the reader.</summary>
    public bool EndWasRead { get; private set; }

    /// <summary>Takes the next bytes without copying them: good until the next call; empty at the end.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> TakeAsync(int count, CancellationToken cancellationToken)
    {
        var taken = _first.IsEmpty
            ? await rest.TakeAsync(count, cancellationToken)
            : _first[..Math.Min(count, _first.Length)];
        if (_first.IsEmpty)
            EndWasRead = taken.IsEmpty;
        else
            _first = _first[taken.Length..];
        return taken;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        var taken = await TakeAsync(buffer.Length, cancellationToken);
        taken.CopyTo(buffer);
        return taken.Length;
    }
}
