namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// A list of named values as ZFS packs it: the payload of a BEGIN record, the contents of a resume token. Immutable and
/// thread-safe. Both encodings are read: "native", as the kernel writes it into the stream of a snapshot up to OpenZFS
/// 2.4, and XDR, as libzfs writes it into a package and later kernels into every stream. "Native" is written. Source:
/// OpenZFS module/nvpair/nvpair.c (nvlist_common, nvs_native_*, nvs_xdr_*).
/// </summary>
public sealed class NvList
{
    /// <summary>
    /// How deep a list may be nested below the outermost: the kernel's limit (module/nvpair/nvpair.c,
    /// nvpair_max_recursion).
    /// </summary>
    public const int MaxDepth = 20;

    /// <summary>
    /// The flag of a list in which each name occurs once, as in all send streams. Source: include/sys/nvpair.h,
    /// NV_UNIQUE_NAME.
    /// </summary>
    public const uint UniqueNames = 1;

    private const byte NativeEncoding = 0;
    private const byte XdrEncoding = 1;
    private const byte LittleEndian = 1;

    /// <summary>Creates a list of these pairs, which are copied.</summary>
    /// <param name="pairs">The pairs, in the order to store.</param>
    /// <param name="flags">The flags to store.</param>
    public NvList(IEnumerable<NvPair> pairs, uint flags = UniqueNames) => (Pairs, Flags) = ([.. pairs], flags);

    /// <summary>The flags stored with the list: <see cref="UniqueNames"/> for nearly all.</summary>
    public uint Flags { get; }

    /// <summary>The pairs in their stored order. A name may occur twice; the look-ups give the first.</summary>
    public IReadOnlyList<NvPair> Pairs { get; }

    /// <summary>Whether a pair of this name exists, of whatever type.</summary>
    public bool Contains(string name) => Find(name) is not null;

    /// <summary>The first pair of this name; null if none exists.</summary>
    public NvPair? Find(string name)
    {
        foreach (var pair in Pairs)
        {
            if (pair.Name == name)
                return pair;
        }

        return null;
    }

    /// <summary>
    /// Whether the flag of this name is set: a name without a value, or a truth value that is true.
    /// </summary>
    public bool GetFlag(string name) => Find(name) is { } pair && pair.TryGetBoolean(out var value) && value;

    /// <summary>The 64-bit number of this name; null if no such number exists.</summary>
    public ulong? GetUInt64(string name) => Find(name) is { } pair && pair.TryGetUInt64(out var value) ? value : null;

    /// <summary>The 64-bit numbers of this name; null if no such array exists.</summary>
    public ulong[]? GetUInt64Array(string name) =>
        Find(name) is { } pair && pair.TryGetUInt64Array(out var value) ? value : null;

    /// <summary>The bytes of this name, of any array of 8-bit elements; null if no such array exists.</summary>
    public ReadOnlyMemory<byte>? GetBytes(string name) =>
        Find(name) is { } pair && pair.TryGetBytes(out var value) ? (ReadOnlyMemory<byte>?)value : null;

    /// <summary>
    /// The string of this name; null if no such string exists. Bytes that are no UTF-8 become U+FFFD.
    /// </summary>
    public string? GetString(string name) => Find(name) is { } pair && pair.TryGetString(out var value) ? value : null;

    /// <summary>The list of this name; null if no such list exists.</summary>
    public NvList? GetList(string name) => Find(name) is { } pair && pair.TryGetList(out var value) ? value : null;

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
    /// packed into the bytes it came from; one that came in XDR, into a native list of the same values.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// The list was unpacked, and a name holds U+FFFD (bytes that were no UTF-8), or a value is missing, or of a type
    /// that is unknown in XDR; or the list is nested deeper than <see cref="MaxDepth"/>.
    /// </exception>
    public byte[] Pack() => NativeNvEncoder.Pack(this);

    /// <summary>
    /// This list with the pair: in the position of the first one of the same name, or, if none exists, at the end.
    /// </summary>
    public NvList With(NvPair pair)
    {
        ArgumentNullException.ThrowIfNull(pair);
        List<NvPair> pairs = [.. Pairs];
        var position = pairs.FindIndex(old => old.Name == pair.Name);
        _ = pairs.RemoveAll(old => old.Name == pair.Name);
        pairs.Insert(position < 0 ? pairs.Count : position, pair);
        return new NvList(pairs, Flags);
    }

    /// <summary>This list without the pairs of this name.</summary>
    public NvList Without(string name) => new(Pairs.Where(pair => pair.Name != name), Flags);
}
