using System.Globalization;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.StandIn;

/// <summary>
/// <c>./bench transfer</c> is run seldom: its stand-in for <c>zfs</c>, which gives recorded streams, must still answer
/// everything that a backup asks.
/// </summary>
public sealed class BenchmarkStandInTests
{
    private const string Dataset = "tank/mixed";
    private const ulong Guid = 0x5eed;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_recorded_stream_is_backed_up()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var stand = Path.Combine(Repository.Root, "benchmarks", "Transfer");
        CommandResult backup;
        var tries = 0;
        do
        {
            var (name, path) = await RecordAsync(client.Folder);
            backup = await Command.RunAsync(
                "sh",
                [
                    "-c",
                    "mkdir -p state && exec env "
                        + $"CLIENT_ID={client.Id} API_KEY={client.Key} SERVER_URL=http://127.0.0.1:{server.Port} "
                        + $"LOCAL_DATASET={Dataset} BENCH_STATE={client.Folder}/state BENCH_GUID={Guid} "
                        + "BENCH_CREATED=1700000000 BENCH_BYTES=1000000 "
                        + $"BENCH_STREAM={path} BENCH_NAME={name} PATH={stand}:$PATH "
                        + $"{Repository.Program("zfs-client")} backup-full --json",
                ],
                client.Folder
            );
        } while (backup.Text.Contains("the stream is of", StringComparison.Ordinal) && ++tries < 10);

        var result = CommandJson.Result(backup.MustSucceed().Output);
        Assert.Equal("full", result.GetProperty("kind").GetString());
        Assert.Equal(1, (await client.GetAsync("status")).Json.GetProperty("snapshot_count").GetInt32());
    }

    /// <summary>A stream of the snapshot that a client makes which starts when this returns.</summary>
    private static async Task<(string Name, string Path)> RecordAsync(string folder)
    {
        var now = TimeProvider.System.GetUtcNow();
        var moment = now.AddSeconds(1).AddTicks(-(now.Ticks % TimeSpan.TicksPerSecond));
        var time = moment.ToString("yyyy-MM-dd_HH:mm:ss", CultureInfo.InvariantCulture);
        var name = $"{Dataset}@zsm-manual-{time}Z";
        var stream = new StreamBuilder().Begin(Guid, name: name, features: StreamFeatures.SaSpill).Object(1, bonus: []);
        for (var block = 0UL; block < 8; block++)
            stream.Write(1, block << 17, StreamBuilder.Noise(1 << 17, (int)block));
        var path = Path.Combine(folder, "recorded.zfs");
        await File.WriteAllBytesAsync(path, stream.End().ToArray(), Token);
        var left = moment - TimeProvider.System.GetUtcNow();
        if (left > TimeSpan.Zero)
            await Task.Delay(left, Token);
        return (name, path);
    }
}
