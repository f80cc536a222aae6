using System.Buffers.Binary;

namespace ZfsSnapshotManager.Fuzzing.Inputs;

/// <summary>Reads values from an input. Zeros follow its end, so every input is valid.</summary>
internal ref struct ByteSource(ReadOnlySpan<byte> rest)
{
    /// <summary>Sizes and ends of ranges, where mistakes are likely.</summary>
    private static readonly ulong[] Corners =
    [
        512,
        1 << 17,
        (1 << 17) + 512,
        1 << 24,
        (1 << 24) + 512,
        int.MaxValue,
        1UL << 31,
        uint.MaxValue,
        1UL << 32,
        1UL << 62,
        long.MaxValue,
        1UL << 63,
        ulong.MaxValue - 1023,
        ulong.MaxValue - 511,
        ulong.MaxValue - 1,
        ulong.MaxValue,
    ];

    private ReadOnlySpan<byte> _rest = rest;

    /// <summary>Whether nothing is left.</summary>
    public readonly bool IsEmpty => _rest.IsEmpty;

    /// <summary>Reads the rest of the input, up to a number of bytes.</summary>
    public ReadOnlySpan<byte> Take(int most)
    {
        var taken = _rest[..Math.Min(most, _rest.Length)];
        _rest = _rest[taken.Length..];
        return taken;
    }

    public byte NextByte() => Take(1) is [var value] ? value : (byte)0;

    public ushort NextUInt16() => (ushort)(NextByte() | (NextByte() << 8));

    /// <summary>
    /// A number, mostly one byte long: below 192 that many units; then a <see cref="Corners">corner</see>; from 240 on
    /// two bytes of units, from 252 on all eight bytes.
    /// </summary>
    public ulong NextNumber(uint unit) =>
        NextByte() switch
        {
            < 0xc0 and var small => small * (ulong)unit,
            < 0xf0 and var corner => Corners[corner & 15],
            < 0xfc => NextUInt16() * (ulong)unit,
            _ => NextUInt64(),
        };

    /// <summary>Writes a number as <see cref="NextNumber"/> reads it.</summary>
    public static void Put(List<byte> output, ulong value, uint unit)
    {
        var (units, isWhole) = (value / unit, value % unit == 0);
        if (isWhole && units < 0xc0)
            output.Add((byte)units);
        else if (Array.IndexOf(Corners, value) is >= 0 and var corner)
            output.Add((byte)(0xc0 + corner));
        else if (isWhole && units <= ushort.MaxValue)
            output.AddRange([0xf0, (byte)units, (byte)(units >> 8)]);
        else
            output.AddRange([0xff, .. BitConverter.GetBytes(value)]);
    }

    private ulong NextUInt64()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        Take(bytes.Length).CopyTo(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }
}
