namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// A list of named values as ZFS packs it: the payload of a BEGIN record. Read-only; both encodings are read, "native" as
/// the kernel writes it into the stream of a snapshot, and XDR as libzfs writes it into a package.
/// Source: OpenZFS module/nvpair/nvpair.c (nvlist_common, nvs_native_*, nvs_xdr_*).
/// </summary>
public sealed class NvList
{
    /// <summary>How deep a list may lie below the outermost: the kernel's limit (module/nvpair/nvpair.c, nvpair_max_recursion).</summary>
    public const int MaxDepth = 20;

    private const byte NativeEncoding = 0;
    private const byte XdrEncoding = 1;
    private const byte LittleEndian = 1;

    internal NvList(List<NvPair> pairs) => Pairs = pairs;

    /// <summary>The pairs in their stored order. A name may occur twice; the look-ups give the first.</summary>
    public IReadOnlyList<NvPair> Pairs { get; }

    /// <summary>Whether there is a pair of this name.</summary>
    public bool Contains(string name) => Find(name) is not null;

    /// <summary>The 64-bit number of this name; null if there is none.</summary>
    public ulong? GetUInt64(string name) => Find(name) is { Value: ulong number } ? number : null;

    /// <summary>The string of this name; null if there is none.</summary>
    public string? GetString(string name) => Find(name)?.Value as string;

    /// <summary>The list of this name; null if there is none.</summary>
    public NvList? GetList(string name) => Find(name)?.Value as NvList;

    /// <summary>
    /// Unpacks a list. What it allocates is bounded by a small multiple of the bytes given; nesting deeper than
    /// <see cref="MaxDepth"/> is refused.
    /// </summary>
    /// <param name="packed">The packed list: 4 bytes (encoding, byte order, two reserved), then the pairs. What follows is ignored.</param>
    /// <exception cref="FormatException">The bytes are no packed list, or one in native encoding from a big-endian machine.</exception>
    public static NvList Unpack(ReadOnlySpan<byte> packed)
    {
        if (packed.Length < 4)
            throw new FormatException($"a packed nvlist has at least 4 bytes, found {packed.Length}");
        var (encoding, byteOrder) = (packed[0], packed[1]);
        var reader = new NvReader(packed[4..]);
        return encoding switch
        {
            NativeEncoding when byteOrder == LittleEndian => NativeNvDecoder.ReadList(ref reader),
            NativeEncoding => throw new FormatException("an nvlist in native encoding of a big-endian machine"),
            XdrEncoding => XdrNvDecoder.ReadList(ref reader, depth: 0),
            _ => throw new FormatException($"an nvlist of encoding {encoding}; expected 0 (native) or 1 (XDR)"),
        };
    }

    private NvPair? Find(string name)
    {
        foreach (var pair in Pairs)
        {
            if (pair.Name == name)
                return pair;
        }

        return null;
    }
}
