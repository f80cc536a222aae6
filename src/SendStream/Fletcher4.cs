using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// The running checksum of a send stream: four 64-bit sums over little-endian 32-bit words, each sum over the one
/// before it, all modulo 2^64. An immutable value; the default is the state before the first byte. Source: OpenZFS
/// module/zcommon/zfs_fletcher.c; stored as four 64-bit words (zio_cksum_t), 32 bytes.
/// </summary>
/// <param name="A">Sum of the words.</param>
/// <param name="B">Sum of the values of <paramref name="A"/> so far.</param>
/// <param name="C">Sum of the values of <paramref name="B"/> so far.</param>
/// <param name="D">Sum of the values of <paramref name="C"/> so far.</param>
public readonly record struct Fletcher4(ulong A, ulong B, ulong C, ulong D)
{
    /// <summary>Bytes of a stored checksum.</summary>
    public const int Size = 32;

    /// <summary>Whether all four sums are 0: no byte was summed yet, or, in a record, no checksum is stored.</summary>
    public bool IsZero => (A | B | C | D) == 0;

    /// <summary>The state after some more bytes.</summary>
    /// <param name="data">The bytes; the length must be a multiple of 4.</param>
    /// <exception cref="ArgumentException">The length is no multiple of 4.</exception>
    public Fletcher4 Append(ReadOnlySpan<byte> data)
    {
        if (data.Length % sizeof(uint) != 0)
            throw new ArgumentException(
                $"Fletcher-4 sums whole 32-bit words; {data.Length} bytes are no multiple of 4.",
                nameof(data)
            );
        return BitConverter.IsLittleEndian
            ? Fletcher4Kernels.Append(this, MemoryMarshal.Cast<byte, uint>(data))
            : AppendBytes(data);
    }

    /// <summary>The state after one more 32-bit word.</summary>
    internal Fletcher4 Append(uint word)
    {
        unchecked
        {
            var a = A + word;
            var b = B + a;
            var c = C + b;
            return new Fletcher4(a, b, c, D + c);
        }
    }

    private Fletcher4 AppendBytes(ReadOnlySpan<byte> data)
    {
        var state = this;
        for (var at = 0; at < data.Length; at += sizeof(uint))
            state = state.Append(BinaryPrimitives.ReadUInt32LittleEndian(data[at..]));
        return state;
    }

    /// <summary>Reads a stored checksum.</summary>
    /// <param name="source">At least 32 bytes.</param>
    /// <exception cref="ArgumentException">Fewer than 32 bytes.</exception>
    public static Fletcher4 ReadFrom(ReadOnlySpan<byte> source)
    {
        if (source.Length < Size)
            throw new ArgumentException($"A checksum takes {Size} bytes; {source.Length} were given.", nameof(source));
        return new Fletcher4(
            BinaryPrimitives.ReadUInt64LittleEndian(source),
            BinaryPrimitives.ReadUInt64LittleEndian(source[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(source[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(source[24..])
        );
    }

    /// <summary>Stores the checksum as a record holds it.</summary>
    /// <param name="destination">At least 32 bytes.</param>
    /// <exception cref="ArgumentException">Fewer than 32 bytes.</exception>
    public void WriteTo(Span<byte> destination)
    {
        if (destination.Length < Size)
            throw new ArgumentException(
                $"A checksum takes {Size} bytes; {destination.Length} were given.",
                nameof(destination)
            );
        BinaryPrimitives.WriteUInt64LittleEndian(destination, A);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], B);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], C);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], D);
    }

    /// <summary>
    /// The four sums in hexadecimal without leading zeros, the numbers <c>zstream dump</c> prints, joined by colons.
    /// </summary>
    public override string ToString() => $"{A:x}:{B:x}:{C:x}:{D:x}";
}
