using System.Text.Json;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Streams;

/// <summary>
/// The usual tools read blocks as files, and files of these tools are accepted: with the installed gunzip and zstd.
/// </summary>
public sealed class StandardToolTests(SharedServer server) : IClassFixture<SharedServer>
{
    public static TheoryData<CompressionFormat, int> Formats =>
        new(
            from format in (CompressionFormat[])[CompressionFormat.Gzip, CompressionFormat.Zstd]
            from blockSize in (int[])[1000, 100_000, 10_000_000]
            select (format, blockSize)
        );

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task The_usual_tools_decompress_blocks(CompressionFormat format, int blockSize)
    {
        using var client = await server.NewClientAsync();
        var plain = Recorded.Plain("large-blocks");
        await File.WriteAllBytesAsync(Path.Combine(client.Folder, "stream"), plain, Token);
        await File.WriteAllBytesAsync(Path.Combine(client.Folder, "blocks"), InBlocks(plain, format, blockSize), Token);

        var tool = format == CompressionFormat.Zstd ? "zstd -q -dc" : "gunzip -c";
        (
            await Command.RunAsync(
                "sh",
                [
                    "-ec",
                    $"{tool} <blocks >unpacked; cmp unpacked stream; "
                        + $"{(format == CompressionFormat.Zstd ? "zstd -q -t <blocks" : "gzip -t <blocks")}",
                ],
                client.Folder
            )
        ).MustSucceed();
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task The_programs_read_blocks(CompressionFormat format, int blockSize)
    {
        using var client = await server.NewClientAsync();
        await AssertTakenAsync(client, format, InBlocks(Recorded.Plain("large-blocks"), format, blockSize));
    }

    [Theory]
    [InlineData("zstd -q -1")]
    [InlineData("zstd -q -19 --long=24")]
    [InlineData("(cat | zstd -q --long)")]
    [InlineData("zstd -q -3 -T2 --no-check")]
    public async Task The_output_of_zstd_is_accepted(string tool)
    {
        using var client = await server.NewClientAsync();
        await File.WriteAllBytesAsync(Path.Combine(client.Folder, "stream"), Recorded.Plain("large-blocks"), Token);
        (await Command.RunAsync("sh", ["-ec", $"{tool} <stream >stream.zst"], client.Folder)).MustSucceed();
        await AssertTakenAsync(
            client,
            CompressionFormat.Zstd,
            await File.ReadAllBytesAsync(Path.Combine(client.Folder, "stream.zst"), Token)
        );
    }

    private static byte[] InBlocks(byte[] stream, CompressionFormat format, int blockSize)
    {
        using var compressor = BlockCompression.Create(format, null);
        return
        [
            .. stream
                .Chunk(blockSize)
                .SelectMany(block =>
                {
                    var room = new byte[compressor.MaxSize(block.Length)];
                    return room[..compressor.Compress(block, room)];
                }),
        ];
    }

    /// <summary>By the server, by zfs-restore from the server, from a file and from a pipe.</summary>
    private static async Task AssertTakenAsync(Uploader client, CompressionFormat format, byte[] stored)
    {
        var answer = await client.StoreAsync(stored, compression: format.ApiName());
        Assert.EndsWith(
            format.Extension(),
            answer.Json.GetProperty("storage_key").GetString(),
            StringComparison.Ordinal
        );
        var id = answer.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!;
        using var download = await client.Http.GetAsync($"download?snapshot_id={Uri.EscapeDataString(id)}", Token);
        Assert.Equal(format.ContentType(), download.Content.Headers.ContentType!.MediaType);
        Assert.Equal(stored, await download.Content.ReadAsByteArrayAsync(Token));
        (await client.RestoreAsync("verify", "all")).MustSucceed();
        (await client.RestoreAsync("save", "1", "saved")).MustSucceed();
        var info = CommandJson.Result(
            (await client.RestoreAsync("stream", "info", "saved", "--json")).MustSucceed().Output
        );
        Assert.Equal(
            (format.ApiName(), stored.Length),
            (info.GetProperty("compression").GetString(), info.GetProperty("stored_bytes").GetInt64())
        );
        (
            await Command.RunAsync(
                "sh",
                ["-ec", $"'{Repository.Program("zfs-restore")}' stream verify - <saved"],
                client.Folder
            )
        ).MustSucceed();
    }
}
