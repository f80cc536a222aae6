using System.Diagnostics.CodeAnalysis;
using System.Text;
using ZfsSnapshotManager.SendStream.NvLists;

namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>
/// The point from which an interrupted send continues: what ZFS prints as <c>receive_resume_token</c> and <c>zfs send
/// -t</c> accepts. Immutable and thread-safe; tokens are equal if everything in them is equal. Source: OpenZFS
/// module/zfs/dsl_dataset.c, get_receive_resume_token_impl; lib/libzfs/libzfs_sendrecv.c,
/// zfs_send_resume_token_to_nvlist and zfs_send_resume_impl_cb_impl.
/// </summary>
public sealed record ResumeToken
{
    /// <summary>
    /// The most bytes of <see cref="FullSnapshotName"/>. Source: drr_toname in include/sys/zfs_ioctl.h, 256 bytes with
    /// a NUL.
    /// </summary>
    public const int LongestName = 255;

    /// <summary>
    /// The most characters of a token that is read: those of the longest list, if none of it could be compressed.
    /// </summary>
    public const int LongestToken = 17 * 1024;

    /// <summary>
    /// The most bytes of the list in a token. ZFS writes some 250, and 500 with the longest name; <c>zfs get</c> prints
    /// at most 8191 characters of a token (ZFS_MAXPROPLEN in include/libzfs.h).
    /// </summary>
    public const int LongestList = Deflate.ClassicDeflate.LongestInput;

    /// <summary>
    /// The most bytes of <see cref="OtherPairs"/>, packed. The rest of a token's list has less than 1 KiB.
    /// </summary>
    public const int LongestOtherPairs = LongestList - 1024;

    private const string BaseGuidPair = "fromguid";
    private const string ObjectPair = "object";
    private const string OffsetPair = "offset";
    private const string BytesPair = "bytes";
    private const string SnapshotGuidPair = "toguid";
    private const string SnapshotNamePair = "toname";
    private const string LargeBlocksPair = "largeblockok";
    private const string EmbeddedPair = "embedok";
    private const string CompressedPair = "compressok";
    private const string RawPair = "rawok";

    private static readonly Dictionary<string, NvType> KnownPairs = new()
    {
        [BaseGuidPair] = NvType.UInt64,
        [ObjectPair] = NvType.UInt64,
        [OffsetPair] = NvType.UInt64,
        [BytesPair] = NvType.UInt64,
        [SnapshotGuidPair] = NvType.UInt64,
        [SnapshotNamePair] = NvType.String,
        [LargeBlocksPair] = NvType.Boolean,
        [EmbeddedPair] = NvType.Boolean,
        [CompressedPair] = NvType.Boolean,
        [RawPair] = NvType.Boolean,
    };

    private static readonly string[] RequiredPairs =
    [
        ObjectPair,
        OffsetPair,
        BytesPair,
        SnapshotGuidPair,
        SnapshotNamePair,
    ];

    /// <summary>GUID of the snapshot or bookmark that an incremental starts from; null for a full stream.</summary>
    /// <exception cref="ArgumentException">Set to 0, which means a full stream to <c>zfs send -t</c>.</exception>
    public ulong? BaseGuid
    {
        get;
        init => field = Possible(value, FaultOfBaseGuid);
    }

    /// <summary>Number of the object to continue with; objects below it have arrived.</summary>
    public required ulong Object { get; init; }

    /// <summary>Offset in the object from which to continue, in bytes; data before it have arrived.</summary>
    public required ulong Offset { get; init; }

    /// <summary>
    /// Bytes of the stream that had arrived, without the 312 of BEGIN; over all receives if it was continued before.
    /// Only <c>zfs send -nv</c> uses it, to estimate what is left.
    /// </summary>
    public required ulong Bytes { get; init; }

    /// <summary>GUID of the snapshot that is sent.</summary>
    public required ulong SnapshotGuid { get; init; }

    /// <summary>
    /// The name in BEGIN, dataset@snapshot: 1 to <see cref="LongestName"/> bytes. <c>zfs send -t</c> looks for the
    /// snapshot by its GUID, beginning where this name says.
    /// </summary>
    /// <exception cref="ArgumentException">Set to a name of another length, or one with a NUL or half a surrogate
    /// pair.</exception>
    public required string FullSnapshotName
    {
        get;
        init => field = Possible(value, FaultOfName);
    }

    /// <summary>The stream has blocks larger than 128 KiB (<c>zfs send -L</c>).</summary>
    public bool LargeBlocks { get; init; }

    /// <summary>The stream has embedded blocks (<c>zfs send -e</c>).</summary>
    public bool Embedded { get; init; }

    /// <summary>The stream has compressed blocks (<c>zfs send -c</c>).</summary>
    public bool Compressed { get; init; }

    /// <summary>The stream has blocks as they are on disk (<c>zfs send -w</c>).</summary>
    public bool Raw { get; init; }

    /// <summary>
    /// The other pairs of the token, in their order: <c>redact_snaps</c> and <c>book_redact_snaps</c>, the GUIDs of
    /// redaction snapshots of the receiving dataset and of the bookmark that an incremental starts from, and pairs that
    /// later versions of ZFS may add. The list is copied when it is set.
    /// </summary>
    /// <exception cref="ArgumentException">
    /// Set to pairs of which one has a property of its own, two have the same name, or <see cref="NvList.Pack"/>
    /// refuses one, or that are together longer than <see cref="LongestOtherPairs"/>.
    /// </exception>
    public IReadOnlyList<NvPair> OtherPairs
    {
        get;
        init => field = [.. Possible(value, FaultOfOthers)];
    } = [];

    /// <summary>
    /// Reads a token. At most <see cref="LongestToken"/> characters are read and <see cref="LongestList"/> bytes
    /// unpacked, whatever the token claims.
    /// </summary>
    /// <param name="token">The token as ZFS prints it, without white space around it.</param>
    /// <exception cref="FormatException">The text is no token, or a damaged one; the message states the
    /// fault.</exception>
    public static ResumeToken Parse(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return FromList(TokenText.Read(token));
    }

    /// <summary>Reads a token.</summary>
    /// <param name="token">The token as ZFS prints it.</param>
    /// <param name="result">The token; null if the text is none, or damaged.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse([NotNullWhen(true)] string? token, [NotNullWhen(true)] out ResumeToken? result)
    {
        try
        {
            result = token is null ? null : Parse(token);
        }
        catch (FormatException)
        {
            result = null;
        }

        return result is not null;
    }

    /// <summary>The token, character for character as ZFS on Linux prints it.</summary>
    public override string ToString() => TokenText.Write(ToList());

    /// <summary>Whether everything in both tokens is equal.</summary>
    public bool Equals(ResumeToken? other) =>
        other is not null && ToList().Pack().AsSpan().SequenceEqual(other.ToList().Pack());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(SnapshotGuid, BaseGuid, Object, Offset, Bytes);

    /// <summary>The pairs in the order of get_receive_resume_token_impl.</summary>
    private NvList ToList()
    {
        List<NvPair> pairs = [];
        if (BaseGuid is { } baseGuid)
            pairs.Add(NvPair.Of(BaseGuidPair, baseGuid));
        pairs.AddRange([
            NvPair.Of(ObjectPair, Object),
            NvPair.Of(OffsetPair, Offset),
            NvPair.Of(BytesPair, Bytes),
            NvPair.Of(SnapshotGuidPair, SnapshotGuid),
            NvPair.Of(SnapshotNamePair, FullSnapshotName),
        ]);
        (bool Set, string Name)[] flags =
        [
            (LargeBlocks, LargeBlocksPair),
            (Embedded, EmbeddedPair),
            (Compressed, CompressedPair),
            (Raw, RawPair),
        ];
        pairs.AddRange(flags.Where(flag => flag.Set).Select(flag => NvPair.Flag(flag.Name)));
        return new NvList([.. pairs, .. OtherPairs]);
    }

    private static ResumeToken FromList(NvList list)
    {
        NvPair[] others = [.. list.Pairs.Where(pair => !KnownPairs.ContainsKey(pair.Name))];
        var fault = FaultOfKnown(list)
            ?? FaultOfBaseGuid(list.GetUInt64(BaseGuidPair))
            ?? FaultOfName(list.GetString(SnapshotNamePair)!)
            ?? FaultOfOthers(others);
        return fault is not null
            ? throw new FormatException($"a resume token {fault}")
            : new ResumeToken
            {
                BaseGuid = list.GetUInt64(BaseGuidPair),
                Object = list.GetUInt64(ObjectPair)!.Value,
                Offset = list.GetUInt64(OffsetPair)!.Value,
                Bytes = list.GetUInt64(BytesPair)!.Value,
                SnapshotGuid = list.GetUInt64(SnapshotGuidPair)!.Value,
                FullSnapshotName = list.GetString(SnapshotNamePair)!,
                LargeBlocks = list.Contains(LargeBlocksPair),
                Embedded = list.Contains(EmbeddedPair),
                Compressed = list.Contains(CompressedPair),
                Raw = list.Contains(RawPair),
                OtherPairs = others,
            };
    }

    /// <summary>Returns the value if it can be in a token.</summary>
    private static T Possible<T>(T value, Func<T, string?> faultOf) =>
        faultOf(value) is { } fault
            ? throw new ArgumentException($"No resume token exists {fault}.", nameof(value))
            : value;

    /// <summary>Returns the fault of the pairs that have properties; null if they have none.</summary>
    private static string? FaultOfKnown(NvList list)
    {
        if (RequiredPairs.FirstOrDefault(name => !list.Contains(name)) is { } missing)
            return $"without \"{missing}\"";
        HashSet<string> names = [];
        foreach (var pair in list.Pairs)
        {
            if (!KnownPairs.TryGetValue(pair.Name, out var type))
                continue;
            if (!names.Add(pair.Name))
                return $"with two pairs named \"{pair.Name}\"";
            if (pair.Type != type || (type == NvType.String && !pair.IsUtf8))
                return $"whose \"{pair.Name}\" is no {(pair.Type == type ? "UTF-8" : type)}";
        }

        return null;
    }

    private static string? FaultOfBaseGuid(ulong? guid) => guid == 0 ? $"whose \"{BaseGuidPair}\" is 0" : null;

    private static string? FaultOfName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!NativeNvEncoder.IsText(name))
            return $"whose \"{SnapshotNamePair}\" has a NUL or half a surrogate pair";
        var length = Encoding.UTF8.GetByteCount(name);
        return length is 0 or > LongestName
            ? $"whose \"{SnapshotNamePair}\" has {length} bytes; expected 1 to {LongestName}"
            : null;
    }

    /// <summary>Returns the fault of the other pairs; null if they have none.</summary>
    private static string? FaultOfOthers(IReadOnlyList<NvPair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        if (pairs.Select(pair => pair.Name).FirstOrDefault(KnownPairs.ContainsKey) is { } known)
            return $"with \"{known}\" among the other pairs";
        if (pairs.DistinctBy(pair => pair.Name).Count() != pairs.Count)
            return "with two pairs of the same name";
        try
        {
            var length = new NvList(pairs).Pack().Length;
            return length > LongestOtherPairs
                ? $"with {length} bytes of other pairs; expected at most {LongestOtherPairs}"
                : null;
        }
        catch (InvalidOperationException e)
        {
            return $"with such pairs: {e.Message}";
        }
    }
}
