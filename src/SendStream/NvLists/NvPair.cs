namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// One named value of an <see cref="NvList"/>. The factories make pairs that can be packed; whether any other pair can
/// be is found out by <see cref="NvList.Pack"/>.
/// </summary>
/// <param name="Name">The name; not empty.</param>
/// <param name="Type">The value's type.</param>
/// <param name="Value">
/// <see cref="ulong"/> for <see cref="NvType.UInt64"/>, <see cref="string"/> for <see cref="NvType.String"/> (an
/// <see cref="NvRaw"/> if its bytes are no UTF-8), an <see cref="NvList"/> for <see cref="NvType.List"/>, an array of
/// those for <see cref="NvType.ListArray"/>, an array of <see cref="ulong"/> for <see cref="NvType.UInt64Array"/>, null
/// for <see cref="NvType.Boolean"/>, which has none. All other types, whose values a send stream's reader need not
/// understand: an <see cref="NvRaw"/> from a list in native encoding, null from one in XDR.
/// </param>
public readonly record struct NvPair(string Name, NvType Type, object? Value)
{
    /// <summary>A pair of a name and a 64-bit number.</summary>
    public static NvPair Of(string name, ulong value) => new(name, NvType.UInt64, value);

    /// <summary>A pair of a name and a string.</summary>
    /// <param name="name">The name; not empty.</param>
    /// <param name="value">The string; may be empty, without NUL.</param>
    public static NvPair Of(string name, string value) => new(name, NvType.String, value);

    /// <summary>A pair of a name and 64-bit numbers.</summary>
    /// <param name="name">The name; not empty.</param>
    /// <param name="values">The numbers; may be none. They are copied.</param>
    public static NvPair Of(string name, IEnumerable<ulong> values) => new(name, NvType.UInt64Array, values.ToArray());

    /// <summary>A pair of a name and a list.</summary>
    public static NvPair Of(string name, NvList value) => new(name, NvType.List, value);

    /// <summary>A name without a value: that it is there means true.</summary>
    public static NvPair Flag(string name) => new(name, NvType.Boolean, null);
}
