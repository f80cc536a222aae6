using System.Buffers;

namespace ZfsSnapshotManager.SendStream.Resume.Deflate;

/// <summary>
/// Packs bits into bytes, the lowest bit of a byte first, as deflate demands. Source: RFC 1951, section 3.1.1.
/// </summary>
internal sealed class BitWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private uint _bits;
    private int _count;

    /// <summary>The bytes written, without the bits of a byte that is not full.</summary>
    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    /// <summary>Writes the lowest bits of a value, lowest first.</summary>
    /// <param name="value">The value; no higher bits are set.</param>
    /// <param name="count">How many bits, 0 to 16.</param>
    public void Write(int value, int count)
    {
        _bits |= (uint)value << _count;
        for (_count += count; _count >= 8; _count -= 8)
        {
            _bytes.Write<byte>([unchecked((byte)_bits)]);
            _bits >>= 8;
        }
    }

    /// <summary>Fills up the byte with zeros.</summary>
    public void FillByte() => Write(0, -_count & 7);

    /// <summary>Writes bytes, which must begin where a byte begins.</summary>
    public void Write(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);
}
