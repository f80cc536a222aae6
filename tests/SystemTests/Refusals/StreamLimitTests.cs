using System.Net;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Refusals;

/// <summary>A few bytes of a stream must not make the server use much memory.</summary>
public sealed class StreamLimitTests(SharedServer server) : IClassFixture<SharedServer>
{
    private const int Mebibyte = 1024 * 1024;

    [Fact]
    public async Task A_BEGIN_with_a_large_payload_is_refused_by_its_header()
    {
        var stream = new StreamBuilder().Begin(payload: new byte[Mebibyte + 4]).ToArray();

        await AssertRefusedAsync(stream, "none", "stream_damaged", "at most 1048576 are accepted here");
    }

    [Theory]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Zstd)]
    public async Task A_block_that_becomes_much_larger_than_a_record_is_refused_by_its_header(CompressionFormat format)
    {
        using var compressor = BlockCompression.Create(format, level: null);
        var block = new byte[33 * Mebibyte];
        var stored = new byte[compressor.MaxSize(block.Length)];
        var size = compressor.Compress(block, stored);
        Assert.InRange(size, 1, Mebibyte);

        await AssertRefusedAsync(
            stored[..size],
            format == CompressionFormat.Gzip ? "gzip" : "zstd",
            "compression_damaged",
            "at most 33554432 are accepted here"
        );
    }

    private async Task AssertRefusedAsync(byte[] body, string compression, string code, string says)
    {
        using var client = await server.NewClientAsync();
        var upload = await client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = compression }
        );

        var answer = await client.SendAsync(upload, body);

        answer.AssertRefused(HttpStatusCode.UnprocessableEntity, code, says);
    }
}
