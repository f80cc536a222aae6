using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Compression.Blocks;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// A block in a compressor. The buffer for the stored bytes is rented in stream order; otherwise a later block could
/// hold the buffer that an earlier one waits for.
/// </summary>
internal sealed class StoredBlock(CutBlock block, BlockBuffer? room)
{
    private readonly TaskCompletionSource<ReadOnlyMemory<byte>> _stored = new(
        TaskCreationOptions.RunContinuationsAsynchronously
    );

    /// <summary>Bytes of the stream.</summary>
    public int StreamBytes => block.Length;

    /// <summary>State of the stream after it.</summary>
    public ParserState End => block.End;

    /// <summary>The stored bytes; valid until <see cref="Release"/>.</summary>
    public Task<ReadOnlyMemory<byte>> Stored => _stored.Task;

    /// <summary>Uses the bytes that were read as the stored bytes, without compression.</summary>
    public void StorePlain() => _stored.SetResult(block.Buffer.Array.AsMemory(0, block.Length));

    public void Compress(BlockCompressor compressor)
    {
        try
        {
            var size = compressor.Compress(block.Buffer.Array.AsSpan(0, block.Length), room!.Array);
            block.Buffer.Dispose();
            _stored.SetResult(room.Array.AsMemory(0, size));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _stored.SetException(e);
        }
    }

    /// <summary>Returns the buffers.</summary>
    public void Release()
    {
        block.Buffer.Dispose();
        room?.Dispose();
    }
}
