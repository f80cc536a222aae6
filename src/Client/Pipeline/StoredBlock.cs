using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// A block on its way through a compressor. Its room for the stored bytes was got in the order of the stream: else a
/// later block could hold what an earlier one waits for.
/// </summary>
internal sealed class StoredBlock(CutBlock block, BlockBuffer? room)
{
    private readonly TaskCompletionSource<ReadOnlyMemory<byte>> _stored = new(
        TaskCreationOptions.RunContinuationsAsynchronously
    );

    /// <summary>Bytes of the stream.</summary>
    public int StreamBytes => block.Length;

    /// <summary>Where the stream stands after it.</summary>
    public ParserState End => block.End;

    /// <summary>The stored bytes, once they are there; good until <see cref="Release"/>.</summary>
    public Task<ReadOnlyMemory<byte>> Stored => _stored.Task;

    /// <summary>Uncompressed streams are stored where they were read to.</summary>
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

    /// <summary>Gives the buffers back.</summary>
    public void Release()
    {
        block.Buffer.Dispose();
        room?.Dispose();
    }
}
