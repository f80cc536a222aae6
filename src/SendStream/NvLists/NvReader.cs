using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>A cursor over a packed list that never reads beyond it.</summary>
internal ref struct NvReader(ReadOnlySpan<byte> source)
{
    private ReadOnlySpan<byte> _rest = source;

    /// <summary>What is left.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    public ReadOnlySpan<byte> Take(long count)
    {
        if (count < 0 || count > _rest.Length)
            throw new FormatException($"an nvlist in which {count} bytes are announced and {_rest.Length} are left");
        var taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }

    public int TakeInt32LittleEndian() => BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));

    public int TakeInt32BigEndian() => BinaryPrimitives.ReadInt32BigEndian(Take(sizeof(int)));

    public ulong TakeUInt64BigEndian() => BinaryPrimitives.ReadUInt64BigEndian(Take(sizeof(ulong)));

    /// <summary>The text of these bytes, which no NUL may interrupt. Those that are no UTF-8 become U+FFFD.</summary>
    public static string Text(ReadOnlySpan<byte> bytes) =>
        bytes.Contains((byte)0)
            ? throw new FormatException("an nvlist with a NUL inside a string")
            : Encoding.UTF8.GetString(bytes);

    /// <summary>
    /// The value of a pair of these bytes: a string. ZFS lets a user property hold any bytes, so those that are no
    /// UTF-8 are kept as they are instead of being a fault.
    /// </summary>
    public static object TextValue(ReadOnlySpan<byte> bytes) =>
        Utf8.IsValid(bytes) || bytes.Contains((byte)0) ? Text(bytes) : new NvRaw(1, (byte[])[.. bytes, 0]);
}
