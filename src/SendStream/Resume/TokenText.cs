using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Resume.Deflate;

namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>
/// A resume token's text: <c>1-CHECKSUM-LENGTH-DATA</c>, all in hexadecimal, lower case. DATA is an nvlist in native
/// encoding, compressed; LENGTH is its number of bytes unpacked; CHECKSUM is the first word of Fletcher-4 over the
/// whole 32-bit words of the compressed bytes, which leaves out 1 to 3 bytes at the end. Source: OpenZFS
/// module/zfs/dsl_dataset.c, get_receive_resume_token_impl; module/zcommon/zfs_fletcher.c, fletcher_4_native_varsize.
/// </summary>
internal static class TokenText
{
    private const string Version = "1";

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>Reads the list in a token.</summary>
    /// <exception cref="FormatException">The text is no token, or damaged.</exception>
    public static NvList Read(string token)
    {
        if (token.Length > ResumeToken.LongestToken)
            throw new FormatException(
                $"a resume token of {token.Length} characters; expected at most {ResumeToken.LongestToken}"
            );
        if (token.Split('-') is not [var version, var checksum, var length, var data])
            throw new FormatException("no resume token: expected VERSION-CHECKSUM-LENGTH-DATA");
        if (version != Version)
            throw new FormatException($"a resume token of version \"{Excerpt.Of(version)}\"; expected {Version}");
        var (expected, unpackedLength) = (ReadNumber(checksum, "checksum"), ReadNumber(length, "length"));
        if (unpackedLength > ResumeToken.LongestList)
            throw new FormatException(
                $"a resume token of {unpackedLength} bytes unpacked; expected at most {ResumeToken.LongestList}"
            );
        var compressed = ReadBytes(data);
        if (Checksum(compressed) != expected)
            throw new FormatException(
                $"a resume token with the checksum {checksum}; its data have {Checksum(compressed):x}"
            );
        return ReadList(Inflate(compressed, (int)unpackedLength));
    }

    /// <summary>Writes a list as a token.</summary>
    /// <param name="list">A list that can be packed, into at most <see cref="ResumeToken.LongestList"/> bytes.</param>
    public static string Write(NvList list)
    {
        var packed = list.Pack();
        var compressed = ClassicDeflate.Compress(packed);
        return $"{Version}-{Checksum(compressed):x}-{packed.Length:x}-{Convert.ToHexStringLower(compressed)}";
    }

    private static ulong Checksum(ReadOnlySpan<byte> compressed) =>
        default(Fletcher4).Append(compressed[..^(compressed.Length % 4)]).A;

    private static ulong ReadNumber(string text, string what)
    {
        // Only what ZFS prints is accepted: no sign, no space, no leading zero.
        var isNumber = ulong.TryParse(
            text,
            NumberStyles.AllowHexSpecifier,
            CultureInfo.InvariantCulture,
            out var number
        );
        return isNumber && text == number.ToString("x", CultureInfo.InvariantCulture)
            ? number
            : throw new FormatException(
                $"a resume token whose {what} \"{Excerpt.Of(text)}\" is no hexadecimal number in lower case"
            );
    }

    private static byte[] ReadBytes(string data) =>
        data.Length % 2 == 0 && !data.AsSpan().ContainsAnyExcept(HexDigits)
            ? Convert.FromHexString(data)
            : throw new FormatException("a resume token whose data are no hexadecimal bytes in lower case");

    private static byte[] Inflate(byte[] compressed, int length)
    {
        // One byte more than announced: if it is filled, the length is wrong.
        var unpacked = new byte[length + 1];
        int found;
        try
        {
            using var source = new ZLibStream(new MemoryStream(compressed), CompressionMode.Decompress);
            found = source.ReadAtLeast(unpacked, unpacked.Length, throwOnEndOfStream: false);
        }
        catch (Exception damage) when (damage is InvalidDataException or IOException)
        {
            // IOException (ZLibException): a header that asks for a preset dictionary.
            throw new FormatException("a resume token whose data cannot be decompressed", damage);
        }

        if (found != length)
            throw new FormatException(
                $"a resume token of {length} bytes unpacked, but it has {(found > length ? "more" : found)}"
            );
        var list = unpacked[..length];
        return compressed.Length > sizeof(uint) && EndOf(compressed) == ClassicDeflate.Adler32(list)
            ? list
            : throw new FormatException("a resume token whose data do not end with their checksum");
    }

    private static uint EndOf(byte[] compressed) =>
        BinaryPrimitives.ReadUInt32BigEndian(compressed.AsSpan(^sizeof(uint)..));

    private static NvList ReadList(byte[] packed)
    {
        NvList list;
        try
        {
            list = NvList.Unpack(packed);
        }
        catch (FormatException fault)
        {
            throw new FormatException($"a resume token with {fault.Message}", fault);
        }

        // What unpacking ignores, such as bytes after the list, would silently be lost.
        return list.Flags == NvList.UniqueNames && IsPackedAs(list, packed)
            ? list
            : throw new FormatException("a resume token whose nvlist is not packed as ZFS packs it");
    }

    private static bool IsPackedAs(NvList list, byte[] packed)
    {
        try
        {
            return list.Pack().AsSpan().SequenceEqual(packed);
        }
        catch (InvalidOperationException)
        {
            return false; // a name that is no UTF-8
        }
    }
}
