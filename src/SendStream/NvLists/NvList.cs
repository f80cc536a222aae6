namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// A list of named values as ZFS packs it: the payload of a BEGIN record, the contents of a resume token. Immutable;
/// both encodings are read, "native" as the kernel writes it into the stream of a snapshot, and XDR as libzfs writes it
/// into a package; "native" is written. Source: OpenZFS module/nvpair/nvpair.c (nvlist_common, nvs_native_*,
/// nvs_xdr_*).
/// </summary>
public sealed class NvList
{
    /// <summary>
    /// How deep a list may lie below the outermost: the kernel's limit (module/nvpair/nvpair.c, nvpair_max_recursion).
    /// </summary>
    public const int MaxDepth = 20;

    /// <summary>
    /// The flag of a list that has each name once, as all in send streams. Source: include/sys/nvpair.h,
    /// NV_UNIQUE_NAME.
    /// </summary>
    public const uint UniqueNames = 1;

    private const byte NativeEncoding = 0;
    private const byte XdrEncoding = 1;
    private const byte LittleEndian = 1;

    /// <summary>Makes a list of these pairs, which are copied.</summary>
    /// <param name="pairs">The pairs, in the order to store.</param>
    /// <param name="flags">The flags to store.</param>
    public NvList(IEnumerable<NvPair> pairs, uint flags = UniqueNames) => (Pairs, Flags) = ([.. pairs], flags);

    /// <summary>The flags stored with the list: <see cref="UniqueNames"/> for nearly all.</summary>
    public uint Flags { get; }

    /// <summary>The pairs in their stored order. A name may occur twice; the look-ups give the first.</summary>
    public IReadOnlyList<NvPair> Pairs { get; }

    /// <summary>Whether there is a pair of this name.</summary>
    public bool Contains(string name) => Find(name) is not null;

    /// <summary>The 64-bit number of this name; null if there is none.</summary>
    public ulong? GetUInt64(string name) => Find(name) is { Value: ulong number } ? number : null;

    /// <summary>The string of this name; null if there is none. Bytes that are no UTF-8 become U+FFFD.</summary>
    public string? GetString(string name) =>
        Find(name) switch
        {
            { Value: string text } => text,
            { Type: NvType.String, Value: NvRaw raw } => NvReader.Text(raw.Bytes.Span.TrimEnd((byte)0)),
            _ => null,
        };

    /// <summary>The list of this name; null if there is none.</summary>
    public NvList? GetList(string name) => Find(name)?.Value as NvList;

    /// <summary>
    /// Unpacks a list. What it allocates is bounded by a small multiple of the bytes given; nesting deeper than
    /// <see cref="MaxDepth"/> is refused.
    /// </summary>
    /// <param name="packed">The packed list: 4 bytes (encoding, byte order, two reserved), then the pairs. What follows
    /// is ignored.</param>
    /// <exception cref="FormatException">The bytes are no packed list, or one in native encoding from a big-endian
    /// machine.</exception>
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

    /// <summary>
    /// Packs the list in native encoding, little-endian, byte for byte as ZFS does. An unpacked native list of ZFS is
    /// packed into the bytes it came from.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// A name is empty, longer than 32766 bytes or holds U+FFFD (unpacking puts that where bytes were no UTF-8), a name
    /// or string holds a NUL or half a surrogate pair, a value does not fit its type or was not kept
    /// (<see cref="NvPair"/>), or the list is nested deeper than <see cref="MaxDepth"/>.
    /// </exception>
    public byte[] Pack() => NativeNvEncoder.Pack(this);

    /// <summary>
    /// This list with the pair: in the place of the one of the same name, or, if there is none, at the end.
    /// </summary>
    public NvList With(NvPair pair)
    {
        List<NvPair> pairs = [.. Pairs];
        var place = pairs.FindIndex(old => old.Name == pair.Name);
        _ = pairs.RemoveAll(old => old.Name == pair.Name);
        pairs.Insert(place < 0 ? pairs.Count : place, pair);
        return new NvList(pairs, Flags);
    }

    /// <summary>This list without the pairs of this name.</summary>
    public NvList Without(string name) => new(Pairs.Where(pair => pair.Name != name), Flags);

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
