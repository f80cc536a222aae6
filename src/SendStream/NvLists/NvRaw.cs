namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// A value as the native encoding holds it, which is not taken apart: kept so that a list can be packed again as it
/// was.
/// </summary>
/// <param name="Count">The element count stored with it; 0 or more. What was read from hostile bytes need not fit the
/// bytes.</param>
/// <param name="Bytes">The value, little-endian; packed, it is padded to a multiple of 8 bytes.</param>
public sealed record NvRaw(int Count, ReadOnlyMemory<byte> Bytes);
