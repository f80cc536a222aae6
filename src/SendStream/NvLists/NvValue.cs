namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>A value that a decoder read, in native form: see <see cref="NvPair"/>.</summary>
/// <param name="Count">Number of elements.</param>
/// <param name="Bytes">The value, little-endian.</param>
/// <param name="Lists">Lists inside the value.</param>
internal readonly record struct NvValue(int Count, byte[] Bytes, params NvList[] Lists)
{
    /// <summary>A value that is true by being present.</summary>
    public static NvValue Flag => new(0, []);

    /// <summary>Lists, as the value of a list or of an array of lists.</summary>
    public static NvValue Of(params NvList[] lists) => new(lists.Length, [], lists);
}
