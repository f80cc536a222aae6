namespace ZfsSnapshotManager.Core.Compression.Blocks;

/// <summary>The sizes that the first bytes of a block state.</summary>
/// <param name="StoredSize">Bytes of the stored block, including its header.</param>
/// <param name="UnpackedSize">Bytes of the decompressed block.</param>
public readonly record struct BlockHeader(int StoredSize, int UnpackedSize);
