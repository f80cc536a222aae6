using System.IO.Compression;
using System.Security.Cryptography;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.UnitTests.Compression;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Transfer;

public sealed class StoredBytesReaderTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Bytes_that_are_copied_and_bytes_that_are_read_come_in_order()
    {
        var bytes = StreamBuilder.Noise(1_000_000, 1);
        using var reader = new StoredBytesReader(new Trickle(bytes));
        List<byte> seen = [.. (await reader.ReadSliceAsync(100_000, Token)).Span];
        Assert.Equal(bytes[100_000..100_002], (await reader.PeekAsync(2, Token)).ToArray());
        var buffer = new byte[30_000];
        while (!reader.EndWasRead)
        {
            seen.AddRange(buffer.AsSpan(0, await reader.ReadAsync(buffer, Token)));
            seen.AddRange((await reader.ReadSliceAsync(500_000, Token)).Span);
        }

        Assert.Equal(bytes, seen);
        Assert.Equal(bytes.Length, reader.BytesRead);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), reader.GetSha256());
        Assert.True((await reader.ReadSliceAsync(1, Token)).IsEmpty);
    }

    [Fact]
    public async Task Blocks_are_lent_and_not_copied()
    {
        ReadOnlyMemory<byte> stored = default;
        using var reader = new StoredBytesReader(new Trickle(StreamBuilder.Noise(1000, 1)), (block, _) =>
        {
            stored = block;
            return ValueTask.CompletedTask;
        });
        var taken = await reader.ReadSliceAsync(600, Token);
        Assert.True(taken.Span == stored.Span[..600]);
    }

    [Theory]
    [InlineData(CompressionFormat.None)]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Zstd)]
    public async Task A_stream_is_decoded_however_it_arrives(CompressionFormat format)
    {
        var stream = StreamBuilder.Small().ToArray();
        using var reader = new StoredBytesReader(new Trickle(Compress(stream, format)));
        List<byte> seen = [];
        var facts = await StoredStreamDecoder.DecodeAsync(
            reader,
            format,
            begin => Assert.Equal(StreamBuilder.Guid, begin.SnapshotGuid),
            (slice, _) =>
            {
                seen.AddRange(slice.Span);
                return ValueTask.CompletedTask;
            },
            Token
        );
        Assert.Equal(stream, seen);
        Assert.Equal(stream.Length, facts.Length);
    }

    [Fact]
    public async Task Bytes_after_compressed_data_are_damage()
    {
        using var reader = new StoredBytesReader(
            new Trickle([.. Compress(StreamBuilder.Small().ToArray(), CompressionFormat.Gzip), 0])
        );
        var fault = await Assert.ThrowsAsync<OperationException>(() =>
            StoredStreamDecoder.DecodeAsync(reader, CompressionFormat.Gzip, null, null, Token)
        );
        Assert.Equal(ExitCode.Damaged, fault.ExitCode);
    }

    [Fact]
    public async Task A_stream_that_is_only_read_refuses_everything_else()
    {
        await using var stream = new Trickle([1]);
        Assert.True(stream is { CanRead: true, CanWrite: false, CanSeek: false });
        await Assert.ThrowsAsync<NotSupportedException>(async () => await stream.WriteAsync(new byte[1], Token));
        Assert.Throws<NotSupportedException>(() => stream.ReadByte());
        Assert.Throws<NotSupportedException>(() => stream.Position = 1);
        Assert.Throws<NotSupportedException>(() => stream.Length);
    }

    private static byte[] Compress(byte[] bytes, CompressionFormat format)
    {
        if (format == CompressionFormat.None)
            return bytes;
        if (format == CompressionFormat.Zstd)
            return Blocks.Compress("zstd", bytes, 1000);
        var stored = new MemoryStream();
        using (var gzip = new GZipStream(stored, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return stored.ToArray();
    }
}
