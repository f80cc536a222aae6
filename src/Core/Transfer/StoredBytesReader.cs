using System.Security.Cryptography;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Reads the bytes of a stored object from where they come from in large blocks; every block is digested, and handed to
/// a sink if there is one, before anybody else sees it. Small reads (a decompressor's) are served from the block; who
/// can use a block as it is may borrow it.
/// </summary>
/// <remarks>
/// Blocks are gathered until full: writing what each read of a socket returns costs ten times as much.
/// </remarks>
public sealed class StoredBytesReader(Stream source, StoredBytesReader.Sink? sink = null, bool digest = true)
    : ForwardOnlyStream
{
    /// <summary>
    /// Bytes of a block: few calls, and what was just read is still in the processor's cache when it is looked at.
    /// </summary>
    private const int BlockSize = 256 * 1024;

    private static readonly FreeList<byte[]> FreeBlocks = new(16);

    private readonly IncrementalHash? _sha256 = digest ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    private byte[]? _block = FreeBlocks.TryRent() ?? GC.AllocateUninitializedArray<byte>(BlockSize);
    private int _start;
    private int _end;

    public delegate ValueTask Sink(ReadOnlyMemory<byte> block, CancellationToken cancellationToken);

    /// <summary>Bytes read from the source so far.</summary>
    public long BytesRead { get; private set; }

    /// <summary>True once the source's end was not only reached but also shown to the reader.</summary>
    public bool EndWasRead { get; private set; }

    public override bool CanRead => true;

    /// <summary>SHA-256 of all that was read, as lower-case hex.</summary>
    public string GetSha256() =>
        Convert.ToHexStringLower(
            (_sha256 ?? throw new InvalidOperationException("No digest was asked for.")).GetCurrentHash()
        );

    /// <summary>The next bytes without taking them; fewer than asked for only at the end.</summary>
    /// <param name="count">At most 256 KiB, before anything was read.</param>
    public async ValueTask<ReadOnlyMemory<byte>> PeekAsync(int count, CancellationToken cancellationToken)
    {
        if (_start == _end)
            await FillAsync(cancellationToken);
        return _block.AsMemory(_start, Math.Min(count, _end - _start));
    }

    /// <summary>Takes the next bytes without copying them: good until the next call; empty at the end.</summary>
    /// <param name="count">The most to take; it may be fewer.</param>
    public async ValueTask<ReadOnlyMemory<byte>> ReadSliceAsync(int count, CancellationToken cancellationToken)
    {
        if (_start == _end)
            EndWasRead = !await FillAsync(cancellationToken);
        var taken = _block.AsMemory(_start, Math.Min(count, _end - _start));
        _start += taken.Length;
        return taken;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        var taken = await ReadSliceAsync(buffer.Length, cancellationToken);
        taken.CopyTo(buffer);
        return taken.Length;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && _block is not null)
        {
            FreeBlocks.TryReturn(_block);
            _block = null;
            _sha256?.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_block is null, this);
        (_start, _end) = (
            0,
            await source.ReadAtLeastAsync(
                _block.AsMemory(0, BlockSize),
                BlockSize,
                throwOnEndOfStream: false,
                cancellationToken
            )
        );
        if (_end == 0)
            return false;
        BytesRead += _end;
        var block = _block.AsMemory(0, _end);
        _sha256?.AppendData(block.Span);
        if (sink is not null)
            await sink(block, cancellationToken);
        return true;
    }
}
