using System.IO.Compression;
using System.Net;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// A request body that is a right full stream of any size, made while it is sent; its data compress well.
/// </summary>
/// <param name="blocks">How many blocks of 128 KiB one file of it has.</param>
/// <param name="guid">The snapshot's.</param>
/// <param name="compress">Whether it is sent as gzip.</param>
internal sealed class GeneratedStream(int blocks, ulong guid, bool compress) : HttpContent
{
    public const int BlockSize = 128 * 1024;

    private const int RecordChecksum = 280;
    private const int WriteOffset = 8 + 16;
    private const int EndChecksum = 8;

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        if (!compress)
        {
            await WriteAsync(stream);
            return;
        }

        await using var gzip = new GZipStream(stream, CompressionLevel.Fastest, leaveOpen: true);
        await WriteAsync(gzip);
    }

    /// <summary>Unknown: the body goes in chunks.</summary>
    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    private async Task WriteAsync(Stream target)
    {
        var sum = default(Fletcher4);
        foreach (var record in new StreamBuilder().Begin(guid).Object(1, bonus: []).Records)
        {
            sum = sum.Append(record);
            await target.WriteAsync(record);
        }

        var write = new StreamBuilder().Begin(guid).Write(1, 0, CompressibleBlock()).Records[^1];
        for (var block = 0L; block < blocks; block++)
        {
            BitConverter.TryWriteBytes(write.AsSpan(WriteOffset), block * BlockSize);
            BitConverter.TryWriteBytes(write.AsSpan(RecordHeader.Size), block);
            sum = Sum(sum, write);
            await target.WriteAsync(write);
        }

        var end = new StreamBuilder().Begin(guid).End().Records[^1];
        sum.WriteTo(end.AsSpan(EndChecksum));
        Sum(sum, end);
        await target.WriteAsync(end);
    }

    /// <summary>Gives the record its checksum and takes it into the stream's.</summary>
    private static Fletcher4 Sum(Fletcher4 sum, byte[] record)
    {
        sum = sum.Append(record.AsSpan(0, RecordChecksum));
        sum.WriteTo(record.AsSpan(RecordChecksum));
        return sum.Append(record.AsSpan(RecordChecksum));
    }

    private static byte[] CompressibleBlock()
    {
        var noise = StreamBuilder.Noise(BlockSize / 8, 1);
        return
        [
            .. Enumerable.Repeat(noise[..1024], BlockSize / 2048).SelectMany(bytes => bytes),
            .. new byte[BlockSize / 2 - noise.Length],
            .. noise,
        ];
    }
}
