using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;

namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>
/// One named value of an <see cref="NvList"/>. Immutable and thread-safe. The value's bytes are always kept, in the
/// form of the native encoding, whichever encoding they were read from; the getters give those types that occur in send
/// streams as .NET values.
/// </summary>
public sealed class NvPair
{
    private NvPair(string name, NvType type, int count, ReadOnlyMemory<byte> bytes, params NvList[] lists) =>
        (Name, Type, Count, Bytes, Lists) = (name, type, count, bytes, lists);

    /// <summary>
    /// The name: 1 to 32,766 bytes of UTF-8. What was read may hold U+FFFD for bytes that are no UTF-8.
    /// </summary>
    public string Name { get; }

    /// <summary>The value's type; numbers without a name are kept as they are.</summary>
    public NvType Type { get; }

    /// <summary>
    /// Number of elements as stored with the value: 0 for <see cref="NvType.Boolean"/>, 1 for other single values. Of
    /// types that the getters do not give, what was read from hostile bytes need not fit <see cref="Bytes"/>.
    /// </summary>
    public int Count { get; }

    /// <summary>
    /// The value as the native encoding holds it, little-endian: strings with their NUL, string arrays after 8 bytes of
    /// 0 for each string. Empty for lists and <see cref="NvType.Boolean"/>. May end with padding.
    /// </summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>
    /// The lists of <see cref="NvType.List"/> (one) and <see cref="NvType.ListArray"/>; otherwise empty.
    /// </summary>
    public IReadOnlyList<NvList> Lists { get; }

    /// <summary>
    /// Whether the bytes are those of an XDR list whose type is unknown, so that they cannot be written natively.
    /// </summary>
    internal bool IsForeign { get; private init; }

    /// <summary>Whether a string is UTF-8; ZFS lets user properties hold any bytes.</summary>
    internal bool IsUtf8 => Utf8.IsValid(Bytes.Span);

    /// <summary>Creates a pair of a name and a 64-bit number.</summary>
    /// <exception cref="ArgumentException">The name cannot be stored: see <see cref="Name"/>.</exception>
    public static NvPair Of(string name, ulong value) => new(Storable(name), NvType.UInt64, 1, NumberBytes([value]));

    /// <summary>Creates a pair of a name and a string.</summary>
    /// <param name="name">The name: see <see cref="Name"/>.</param>
    /// <param name="value">The string; may be empty.</param>
    /// <exception cref="ArgumentException">The name cannot be stored, or name or value hold a NUL or half a surrogate
    /// pair.</exception>
    public static NvPair Of(string name, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (!NativeNvEncoder.IsText(value))
            throw new ArgumentException(
                $"The value of \"{Excerpt.Of(name)}\" has a NUL or half a surrogate pair.",
                nameof(value)
            );
        return new(Storable(name), NvType.String, 1, StringBytes(Encoding.UTF8.GetBytes(value)));
    }

    /// <summary>Creates a pair of a name and 64-bit numbers.</summary>
    /// <param name="name">The name: see <see cref="Name"/>.</param>
    /// <param name="values">The numbers; may be none. They are copied.</param>
    /// <exception cref="ArgumentException">The name cannot be stored.</exception>
    public static NvPair Of(string name, IEnumerable<ulong> values)
    {
        ulong[] numbers = [.. values];
        return new(Storable(name), NvType.UInt64Array, numbers.Length, NumberBytes(numbers));
    }

    /// <summary>Creates a pair of a name and a list.</summary>
    /// <exception cref="ArgumentException">The name cannot be stored: see <see cref="Name"/>.</exception>
    public static NvPair Of(string name, NvList value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new(Storable(name), NvType.List, 1, default, value);
    }

    /// <summary>Creates a pair of a name and lists.</summary>
    /// <param name="name">The name: see <see cref="Name"/>.</param>
    /// <param name="values">The lists; may be none.</param>
    /// <exception cref="ArgumentException">The name cannot be stored.</exception>
    public static NvPair Of(string name, IEnumerable<NvList> values)
    {
        NvList[] lists = [.. values];
        return new(Storable(name), NvType.ListArray, lists.Length, default, lists);
    }

    /// <summary>Creates a name without a value (<see cref="NvType.Boolean"/>): its presence means true.</summary>
    /// <exception cref="ArgumentException">The name cannot be stored: see <see cref="Name"/>.</exception>
    public static NvPair Flag(string name) => new(Storable(name), NvType.Boolean, 0, default);

    /// <summary>Creates a pair of a name and bytes (<see cref="NvType.ByteArray"/>).</summary>
    /// <param name="name">The name: see <see cref="Name"/>.</param>
    /// <param name="value">The bytes; may be none. They are copied.</param>
    /// <exception cref="ArgumentException">The name cannot be stored.</exception>
    public static NvPair OfBytes(string name, ReadOnlySpan<byte> value) =>
        OfRaw(name, NvType.ByteArray, value.Length, value);

    /// <summary>Creates a pair of a type that the other factories do not make.</summary>
    /// <param name="name">The name: see <see cref="Name"/>.</param>
    /// <param name="type">The type.</param>
    /// <param name="count">Number of elements, 0 or more; whether it fits the bytes is not checked.</param>
    /// <param name="bytes">The value as the native encoding holds it, little-endian. It is copied.</param>
    /// <exception cref="ArgumentException">The name cannot be stored, or the type has a factory of its own.</exception>
    public static NvPair OfRaw(string name, NvType type, int count, ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (IsTyped(type))
            throw new ArgumentException($"A pair of type {type} is made by its own factory.", nameof(type));
        return new(Storable(name), type, count, bytes.ToArray());
    }

    /// <summary>The value if it is a <see cref="NvType.UInt64"/>.</summary>
    public bool TryGetUInt64(out ulong value)
    {
        var holds = Type == NvType.UInt64 && Bytes.Length == sizeof(ulong);
        value = holds ? BinaryPrimitives.ReadUInt64LittleEndian(Bytes.Span) : 0;
        return holds;
    }

    /// <summary>
    /// The value if it is a single whole number that always fits 64 bits with a sign: all but
    /// <see cref="NvType.UInt64"/>.
    /// </summary>
    public bool TryGetInt64(out long value)
    {
        var bytes = Bytes.Span;
        long? found = Type switch
        {
            NvType.Byte or NvType.UInt8 when bytes.Length >= sizeof(byte) => bytes[0],
            NvType.Int8 when bytes.Length >= sizeof(sbyte) => unchecked((sbyte)bytes[0]),
            NvType.Int16 when bytes.Length >= sizeof(short) => BinaryPrimitives.ReadInt16LittleEndian(bytes),
            NvType.UInt16 when bytes.Length >= sizeof(ushort) => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            NvType.Int32 when bytes.Length >= sizeof(int) => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            NvType.UInt32 when bytes.Length >= sizeof(uint) => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            NvType.Int64 or NvType.HighResolutionTime when bytes.Length >= sizeof(long) =>
                BinaryPrimitives.ReadInt64LittleEndian(bytes),
            _ => null,
        };
        value = found ?? 0;
        return found is not null;
    }

    /// <summary>
    /// The value if it is a truth value: a <see cref="NvType.BooleanValue"/>, or a <see cref="NvType.Boolean"/>, which
    /// is true by being present.
    /// </summary>
    public bool TryGetBoolean(out bool value)
    {
        var holds = Type == NvType.BooleanValue && Bytes.Length >= sizeof(int);
        value = Type == NvType.Boolean || (holds && BinaryPrimitives.ReadInt32LittleEndian(Bytes.Span) != 0);
        return holds || Type == NvType.Boolean;
    }

    /// <summary>
    /// The value if it is a <see cref="NvType.String"/>; bytes that are no UTF-8 become U+FFFD (the bytes themselves:
    /// <see cref="Bytes"/>).
    /// </summary>
    public bool TryGetString([NotNullWhen(true)] out string? value)
    {
        value = Type == NvType.String && !Bytes.IsEmpty ? Encoding.UTF8.GetString(Bytes.Span[..^1]) : null;
        return value is not null;
    }

    /// <summary>The value if it is an array of bytes, of any of the three types that have elements of 8 bits.</summary>
    public bool TryGetBytes(out ReadOnlyMemory<byte> value)
    {
        var holds = Type is NvType.ByteArray or NvType.Int8Array or NvType.UInt8Array && Count <= Bytes.Length;
        value = holds ? Bytes[..Count] : default;
        return holds;
    }

    /// <summary>The value if it is a <see cref="NvType.UInt64Array"/>; a new array at each call.</summary>
    public bool TryGetUInt64Array([NotNullWhen(true)] out ulong[]? value)
    {
        value = null;
        if (Type != NvType.UInt64Array)
            return false;
        value = new ulong[Bytes.Length / sizeof(ulong)];
        for (var i = 0; i < value.Length; i++)
            value[i] = BinaryPrimitives.ReadUInt64LittleEndian(Bytes.Span[(i * sizeof(ulong))..]);
        return true;
    }

    /// <summary>The value if it is a <see cref="NvType.List"/>.</summary>
    public bool TryGetList([NotNullWhen(true)] out NvList? value)
    {
        value = Type == NvType.List && Lists.Count == 1 ? Lists[0] : null;
        return value is not null;
    }

    /// <summary>A pair as it was read: nothing of it is judged.</summary>
    internal static NvPair Read(string name, NvType type, NvValue value, bool isForeign = false) =>
        new(name, type, value.Count, value.Bytes, value.Lists) { IsForeign = isForeign };

    /// <summary>Whether a type's values are always understood, so that they cannot be given as raw bytes.</summary>
    internal static bool IsTyped(NvType type) =>
        type
            is NvType.Boolean
                or NvType.UInt64
                or NvType.UInt64Array
                or NvType.String
                or NvType.List
                or NvType.ListArray;

    private static string Storable(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return NativeNvEncoder.FaultOfName(name) is { } fault
            ? throw new ArgumentException($"\"{Excerpt.Of(name)}\" cannot name a pair: {fault}.", nameof(name))
            : name;
    }

    private static byte[] StringBytes(ReadOnlySpan<byte> text) => [.. text, 0];

    private static byte[] NumberBytes(ReadOnlySpan<ulong> numbers)
    {
        var bytes = new byte[numbers.Length * sizeof(ulong)];
        for (var i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * sizeof(ulong)), numbers[i]);
        return bytes;
    }
}
