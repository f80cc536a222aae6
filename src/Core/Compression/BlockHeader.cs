namespace ZfsSnapshotManager.Core.Compression;

/// <summary>What a block's first bytes say of it.</summary>
/// <param name="StoredSize">Bytes of the whole block as it is stored, with its header.</param>
/// <param name="UnpackedSize">Bytes it has when it is decompressed.</param>
public readonly record struct BlockHeader(int StoredSize, int UnpackedSize);
