using System.Buffers.Binary;
using System.Text;

namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>A cursor over a packed list that never reads beyond it.</summary>
internal ref struct NvReader(ReadOnlySpan<byte> source)
{
    private ReadOnlySpan<byte> _rest = source;

    /// <summary>The bytes that are left.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>Reads bytes.</summary>
    /// <exception cref="FormatException">Fewer are left.</exception>
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

    /// <summary>The text of these bytes, which hold no NUL; those that are no UTF-8 become U+FFFD.</summary>
    /// <exception cref="FormatException">A NUL is inside.</exception>
    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(WithoutNul(bytes));

    /// <summary>These bytes, which hold no NUL.</summary>
    /// <exception cref="FormatException">A NUL is inside.</exception>
    public static ReadOnlySpan<byte> WithoutNul(ReadOnlySpan<byte> bytes) =>
        bytes.Contains((byte)0) ? throw new FormatException("an nvlist with a NUL inside a string") : bytes;
}
