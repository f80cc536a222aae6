using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream.Resume.Deflate;

/// <summary>
/// Compresses byte for byte as zlib's level 6 does, which ZFS uses for resume tokens; the runtime's own compression
/// (zlib-ng) produces other bytes. The format is RFC 1950 around RFC 1951. Source: OpenZFS
/// module/os/linux/spl/spl-zlib.c, z_compress_level; Linux lib/zlib_deflate.
/// </summary>
internal static class ClassicDeflate
{
    /// <summary>
    /// The most bytes that can be compressed. Up to here zlib never ends a block before the end: Linux does so after
    /// 4096 symbols at the earliest, if they stand for more than 8192 bytes (lib/zlib_deflate/deftree.c,
    /// zlib_tr_tally).
    /// </summary>
    public const int LongestInput = 8192;

    private const uint AdlerModulus = 65521;

    /// <summary>Compresses.</summary>
    /// <exception cref="ArgumentException">More than <see cref="LongestInput"/> bytes.</exception>
    public static byte[] Compress(ReadOnlySpan<byte> input)
    {
        if (input.Length > LongestInput)
            throw new ArgumentException(
                $"At most {LongestInput} bytes can be compressed; {input.Length} were given.",
                nameof(input)
            );
        var output = new BitWriter();
        output.Write([0x78, 0x9c]); // deflate with a window of 32 KiB, level 6
        DeflateBlock.Write(output, input, LazyMatcher.Find(input));
        output.FillByte();
        Span<byte> check = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(check, Adler32(input));
        output.Write(check);
        return output.Written.ToArray();
    }

    /// <summary>The checksum at the end of zlib's format. Source: RFC 1950, section 9.</summary>
    public static uint Adler32(ReadOnlySpan<byte> data)
    {
        var (a, b) = (1u, 0u);
        foreach (var value in data)
        {
            a = (a + value) % AdlerModulus;
            b = (b + a) % AdlerModulus;
        }

        return (b << 16) | a;
    }
}
