using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>How much memory a transfer takes at most, whatever the size of the stream.</summary>
/// <param name="Lanes">Parts on their way at once.</param>
/// <param name="PartSize">Bytes from which on a part is full.</param>
/// <param name="Workers">Threads that compress; none for a plain stream.</param>
internal sealed record TransferMemory(int Lanes, int PartSize, int Workers)
{
    /// <summary>
    /// Blocks that are read, compressed or wait for their turn at once: one each for reader and part, and one for each
    /// worker.
    /// </summary>
    public int Blocks => Workers + 2;

    /// <summary>
    /// Chunks for the parts on their way and the one that is made. The largest block must fit behind a part that is
    /// nearly full.
    /// </summary>
    public int Chunks =>
        (int)
            Math.Max(
                (((Lanes + 1L) * PartSize) + BlockCutter.Target) / PartChunks.ChunkSize,
                (PartSize + StoredPart.MaxBlockSize) / PartChunks.ChunkSize
            ) + 1;

    /// <summary>Bytes of all buffers, for streams whose records have at most 1 MiB.</summary>
    public long Bytes =>
        ((long)Chunks * PartChunks.ChunkSize) + ((long)Blocks * BlockCutter.BufferSize * (Workers > 0 ? 2 : 1));
}
