using System.Security.Cryptography;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Reads the bytes of a stored object from a source in slices of 256 KiB. Every slice is digested, and passed to a sink
/// if one is given, before any caller gets it. Small reads (a decompressor's) are served from the slice; callers that
/// can use a slice in place borrow it (<see cref="ReadSliceAsync"/>).
/// </summary>
/// <remarks>
/// Slices are filled before they are passed on: to write what each read of a socket returns costs ten times as much.
/// </remarks>
public sealed class StoredBytesReader(Stream source, StoredBytesReader.Sink? sink = null, bool digest = true)
    : ForwardOnlyStream
{
    private const int SlicesKept = 16;

    private static readonly FreeList<byte[]> FreeSlices = new(SlicesKept);

    private readonly IncrementalHash? _sha256 = digest ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    private byte[]? _slice = FreeSlices.TryRent() ?? GC.AllocateUninitializedArray<byte>(StreamSlice.Size);
    private int _start;
    private int _end;

    public delegate ValueTask Sink(ReadOnlyMemory<byte> slice, CancellationToken cancellationToken);

    /// <summary>Bytes read from the source so far.</summary>
    public long BytesRead { get; private set; }

    /// <summary>True once a read has returned nothing, and not only the last byte.</summary>
    public bool EndWasRead { get; private set; }

    public override bool CanRead => true;

    /// <summary>SHA-256 of all that was read, as lower-case hex.</summary>
    public string GetSha256() =>
        Convert.ToHexStringLower(
            (_sha256 ?? throw new InvalidOperationException("No digest was asked for.")).GetCurrentHash()
        );

    /// <summary>Returns the next bytes without consuming them; fewer than asked for only at the end.</summary>
    /// <param name="count">At most 256 KiB, and only before anything was read.</param>
    public async ValueTask<ReadOnlyMemory<byte>> PeekAsync(int count, CancellationToken cancellationToken)
    {
        if (_start == _end)
            await FillAsync(cancellationToken);
        return _slice.AsMemory(_start, Math.Min(count, _end - _start));
    }

    /// <summary>Returns the next bytes without copying them: valid until the next call; empty at the end.</summary>
    /// <param name="count">The most to return; it may be fewer.</param>
    public async ValueTask<ReadOnlyMemory<byte>> ReadSliceAsync(int count, CancellationToken cancellationToken)
    {
        if (_start == _end)
            EndWasRead = !await FillAsync(cancellationToken);
        var taken = _slice.AsMemory(_start, Math.Min(count, _end - _start));
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
        if (disposing && _slice is not null)
        {
            FreeSlices.TryReturn(_slice);
            _slice = null;
            _sha256?.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_slice is null, this);
        (_start, _end) = (
            0,
            await source.ReadAtLeastAsync(
                _slice.AsMemory(0, StreamSlice.Size),
                StreamSlice.Size,
                throwOnEndOfStream: false,
                cancellationToken
            )
        );
        if (_end == 0)
            return false;
        BytesRead += _end;
        var slice = _slice.AsMemory(0, _end);
        _sha256?.AppendData(slice.Span);
        if (sink is not null)
            await sink(slice, cancellationToken);
        return true;
    }
}
