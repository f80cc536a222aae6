namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>One named value of an <see cref="NvList"/>.</summary>
/// <param name="Name">The name; not empty.</param>
/// <param name="Type">The value's type.</param>
/// <param name="Value">
/// <see cref="ulong"/> for <see cref="NvType.UInt64"/>, <see cref="string"/> for <see cref="NvType.String"/>, an
/// <see cref="NvList"/> for <see cref="NvType.List"/>, an array of those for <see cref="NvType.ListArray"/>, an array of
/// <see cref="ulong"/> for <see cref="NvType.UInt64Array"/>; null for all other types, whose values a send stream's reader does
/// not need.
/// </param>
public readonly record struct NvPair(string Name, NvType Type, object? Value);
