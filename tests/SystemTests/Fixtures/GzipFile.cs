using System.IO.Compression;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>Compresses in the ways in which gzip files are made.</summary>
internal static class GzipFile
{
    private const int TrailerSize = 8;
    private const int HeaderSize = 10;
    private const byte HasName = 8;

    public static byte[] Compress(ReadOnlySpan<byte> bytes, CompressionLevel level = CompressionLevel.Fastest)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, level, leaveOpen: true))
            gzip.Write(bytes);
        return target.ToArray();
    }

    /// <summary>Members of so many bytes one after another, as parallel compressors write them.</summary>
    public static byte[] CompressInMembers(byte[] bytes, int memberSize) =>
        [.. bytes.Chunk(memberSize).SelectMany(chunk => Compress(chunk))];

    /// <summary>
    /// One member whose header carries a file name so long that the whole has a multiple of <paramref name="unit"/>
    /// bytes.
    /// </summary>
    public static byte[] CompressToMultipleOf(int unit, byte[] bytes)
    {
        var member = Compress(bytes);
        var missing = unit - (member.Length + 1) % unit;
        member[3] = HasName;
        return [.. member[..HeaderSize], .. Enumerable.Repeat((byte)'n', missing), 0, .. member[HeaderSize..]];
    }

    /// <summary>What the tool itself makes of the bytes.</summary>
    public static async Task<byte[]> CompressWithToolAsync(byte[] bytes, string folder, string option)
    {
        var path = Path.Combine(folder, $"plain{option}");
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);
        (await Command.RunAsync("gzip", [option, path])).MustSucceed();
        return await File.ReadAllBytesAsync(path + ".gz", TestContext.Current.CancellationToken);
    }

    /// <summary>The same without the last <paramref name="count"/> bytes of its check sum and length.</summary>
    public static byte[] WithoutTrailer(byte[] gzip, int count) =>
        count <= TrailerSize ? gzip[..^count] : throw new ArgumentOutOfRangeException(nameof(count));
}
