using System.Security.Cryptography;
using System.Threading.Channels;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// Gathers stored blocks, in order, into parts, each with its digest. A part ends with the block that brings it to the
/// size that the server requested, so every part but the last is a little larger.
/// </summary>
/// <remarks>
/// The bytes are copied into chunks, because the compressors' buffers are sized for blocks that do not shrink, and most
/// blocks do (docs/decisions/0018).
/// </remarks>
/// <param name="chunks">The memory of parts.</param>
/// <param name="partSize">Stored bytes after which a part ends.</param>
/// <param name="from">Where the first part begins.</param>
/// <param name="digest">Gets the digest of each finished part.</param>
internal sealed class PartBuilder(PartChunks chunks, int partSize, TransferStart from, PartsDigest digest) : IDisposable
{
    private readonly IncrementalHash _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private int _number = from.Number;
    private long _offset = from.Offset;
    private ParserState _start = from.State;
    private ParserState _end = from.State;
    private List<byte[]> _chunks = [];
    private int _size;

    /// <summary>How many parts are finished.</summary>
    public int Finished => _number - from.Number;

    /// <summary>State of the stream after the last block that was appended.</summary>
    public ParserState End => _end;

    /// <summary>Reads all blocks and passes on full parts.</summary>
    /// <returns>The last part, which is not full; null if there is none.</returns>
    public async Task<UploadPart?> RunAsync(
        ChannelReader<StoredBlock> blocks,
        ChannelWriter<UploadPart> parts,
        CancellationToken cancellationToken
    )
    {
        await foreach (var block in blocks.ReadAllAsync(cancellationToken))
        {
            await AppendAsync(await block.Stored.WaitAsync(cancellationToken), cancellationToken);
            _end = block.End;
            block.Release();
            if (_size >= partSize)
                await parts.WriteAsync(Finish(), cancellationToken);
        }

        return _size > 0 ? Finish() : null;
    }

    public void Dispose() => _sha256.Dispose();

    private async ValueTask AppendAsync(ReadOnlyMemory<byte> stored, CancellationToken cancellationToken)
    {
        _sha256.AppendData(stored.Span);
        while (stored.Length > 0)
        {
            var inChunk = _size % PartChunks.ChunkSize;
            if (inChunk == 0)
                _chunks.Add(await chunks.RentAsync(cancellationToken));
            var count = Math.Min(stored.Length, PartChunks.ChunkSize - inChunk);
            stored[..count].CopyTo(_chunks[^1].AsMemory(inChunk));
            stored = stored[count..];
            _size += count;
        }
    }

    private UploadPart Finish()
    {
        Invariant.Require(
            _chunks.Count == (_size + PartChunks.ChunkSize - 1) / PartChunks.ChunkSize,
            $"the chunks of part {_number} contain the bytes of its digest"
        );
        var part = new UploadPart
        {
            Number = _number,
            Offset = _offset,
            Chunks = _chunks,
            Size = _size,
            Sha256 = _sha256.GetHashAndReset(),
            Start = _start,
            End = _end,
        };
        digest.Add(part.Sha256);
        (_number, _offset, _start, _chunks, _size) = (_number + 1, _offset + _size, _end, [], 0);
        return part;
    }
}
