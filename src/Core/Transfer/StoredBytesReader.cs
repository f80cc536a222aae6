using System.Buffers;
using System.Security.Cryptography;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Reads the bytes of a stored object from where they come from in large blocks; every block is digested, and handed to a sink if there is
/// one, before anybody else sees it. Small reads (a decompressor's) are served from the block.
/// </summary>
/// <remarks>Blocks are gathered until full: writing what each read of a socket returns costs ten times as much.</remarks>
public sealed class StoredBytesReader(Stream source, StoredBytesReader.Sink? sink = null, bool digest = true) : Stream
{
    private const int BlockSize = 256 * 1024;

    private readonly IncrementalHash? _sha256 = digest ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    private byte[]? _block = ArrayPool<byte>.Shared.Rent(BlockSize);
    private int _start;
    private int _end;

    public delegate ValueTask Sink(ReadOnlyMemory<byte> block, CancellationToken cancellationToken);

    /// <summary>Bytes read from the source so far.</summary>
    public long BytesRead { get; private set; }

    /// <summary>True once the source's end was not only reached but also shown to the reader.</summary>
    public bool EndWasRead { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException("The length is known only at the end.");

    public override long Position { get => throw new NotSupportedException("See BytesRead."); set => throw new NotSupportedException("This stream is read once."); }

    /// <summary>SHA-256 of all that was read, as lower-case hex.</summary>
    public string GetSha256() => Convert.ToHexStringLower((_sha256 ?? throw new InvalidOperationException("No digest was asked for.")).GetCurrentHash());

    /// <summary>The next bytes without taking them; fewer than asked for only at the end.</summary>
    /// <param name="count">At most 256 KiB, before anything was read.</param>
    public async ValueTask<ReadOnlyMemory<byte>> PeekAsync(int count, CancellationToken cancellationToken)
    {
        if (_start == _end) await FillAsync(cancellationToken).ConfigureAwait(false);
        return _block.AsMemory(_start, Math.Min(count, _end - _start));
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty) return 0;
        if (_start == _end && !await FillAsync(cancellationToken).ConfigureAwait(false))
        {
            EndWasRead = true;
            return 0;
        }

        var count = Math.Min(buffer.Length, _end - _start);
        _block.AsMemory(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously.");

    public override void Flush()
    {
        // Nothing is written through this stream.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("This stream is read once.");

    public override void SetLength(long value) => throw new NotSupportedException("This stream is read once.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("This stream is read once.");

    protected override void Dispose(bool disposing)
    {
        if (disposing && _block is not null)
        {
            ArrayPool<byte>.Shared.Return(_block);
            _block = null;
            _sha256?.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_block is null, this);
        (_start, _end) = (0, await source.ReadAtLeastAsync(_block.AsMemory(0, BlockSize), BlockSize, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false));
        if (_end == 0) return false;
        BytesRead += _end;
        var block = _block.AsMemory(0, _end);
        _sha256?.AppendData(block.Span);
        if (sink is not null) await sink(block, cancellationToken).ConfigureAwait(false);
        return true;
    }
}
