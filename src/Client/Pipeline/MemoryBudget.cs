using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>The most memory that a transfer uses, whatever the size of the stream.</summary>
/// <param name="ParallelParts">Parts in transit at once.</param>
/// <param name="PartSize">Size in bytes at which a part is full.</param>
/// <param name="Workers">Threads that compress; 0 for an uncompressed stream.</param>
internal sealed record MemoryBudget(int ParallelParts, int PartSize, int Workers)
{
    /// <summary>
    /// The most bytes of all parts that are held at once, unless a single part and its successor have more.
    /// </summary>
    private const long MaxPartBytes = 1L << 30;

    /// <summary>
    /// How many parts are sent at once: the server chooses their size, and must not choose how much memory they take.
    /// </summary>
    /// <param name="wanted">UPLOAD_PARALLEL.</param>
    /// <param name="accepted">The most that the server accepts.</param>
    /// <param name="partSize">Bytes of a part; one more is being built.</param>
    public static int ChooseParallelParts(int wanted, int accepted, int partSize) =>
        (int)Math.Clamp(Math.Min(wanted, accepted), 1, Math.Max(MaxPartBytes / partSize - 1, 1));

    /// <summary>
    /// Blocks in use at once: one being read, one being copied into a part, and one for each worker.
    /// </summary>
    public int Blocks => Workers + 2;

    /// <summary>
    /// Chunks for the parts in transit and the one being built. The largest block must fit after a part that is nearly
    /// full.
    /// </summary>
    public int Chunks =>
        (int)
            Math.Max(
                (((ParallelParts + 1L) * PartSize) + BlockCutter.Target) / PartChunks.ChunkSize,
                (PartSize + StoredPart.MaxBlockSize) / PartChunks.ChunkSize
            ) + 1;

    /// <summary>Bytes of all buffers, for streams whose records have at most 1 MiB.</summary>
    public long Bytes =>
        ((long)Chunks * PartChunks.ChunkSize) + ((long)Blocks * BlockCutter.BufferSize * (Workers > 0 ? 2 : 1));
}
