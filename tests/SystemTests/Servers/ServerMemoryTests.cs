using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>The server's memory does not grow with a stream.</summary>
public sealed class ServerMemoryTests
{
    private const int Megabyte = 1_000_000;
    private const int Mebibyte = 1024 * 1024;

    [Theory]
    [InlineData("gzip")]
    [InlineData("none")]
    public async Task A_stream_of_a_gigabyte_needs_no_more_memory_than_one_of_two_hundred_megabytes(string compression)
    {
        var small = await PeakAsync(compression, 200 * Megabyte);
        var large = await PeakAsync(compression, 1000 * Megabyte);

        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{compression}: peak {small / (double)Mebibyte:0.0} MiB with 200 MB, {large / (double)Mebibyte:0.0} MiB "
                + "with 1 GB"
        );
        TestContext.Current.SendDiagnosticMessage(
            $"zfs-server, {compression}: peak {small / (double)Mebibyte:0.0} MiB with 200 MB, "
                + $"{large / (double)Mebibyte:0.0} MiB with 1 GB"
        );
        Assert.InRange(large, 1, small * 5 / 4 + 16 * Mebibyte);
        Assert.InRange(large, 1, 128 * Mebibyte);
    }

    private static async Task<long> PeakAsync(string compression, long size)
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var upload = await client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = compression }
        );

        var stored = (
            await client.SendAsync(
                upload,
                new GeneratedStream((int)(size / GeneratedStream.BlockSize), guid: 7, compression == "gzip")
            )
        ).MustSucceed();

        Assert.InRange(
            stored.Json.GetProperty("snapshot").GetProperty("stream_bytes").GetInt64(),
            size - GeneratedStream.BlockSize,
            size + Megabyte * 10
        );
        return server.PeakMemory();
    }
}
