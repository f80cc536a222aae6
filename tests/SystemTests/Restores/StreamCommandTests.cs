using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// <c>zfs-restore stream info|verify</c>: what a stream is, and whether it is whole, from files and pipes.
/// </summary>
public sealed class StreamCommandTests : IDisposable
{
    private readonly string _folder = Repository.NewFolder("stream");

    public static TheoryData<string> WholeStreams =>
        [.. RecordedStream.Whole.Select(stream => stream.File[..^".zfs.gz".Length])];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(WholeStreams))]
    public async Task Info_tells_of_a_recorded_stream_what_ZFS_tells(string name)
    {
        var stream = Recorded.Get(name);

        var info = Json(await RunAsync(["stream", "info", Recorded.PathOf(name), "--json"]));

        Assert.Equal(
            (stream.Kind, "gzip", stream.Length),
            (Text(info, "kind"), Text(info, "compression"), info.GetProperty("stream_bytes").GetInt64())
        );
        Assert.Equal(new FileInfo(Recorded.PathOf(name)).Length, info.GetProperty("stored_bytes").GetInt64());
        Assert.Equal(
            stream.Records.ToDictionary(
                r => r.Key.Replace("_", "", StringComparison.Ordinal),
                r => r.Value,
                StringComparer.Ordinal
            ),
            info.GetProperty("records")
                .EnumerateObject()
                .ToDictionary(r => r.Name.ToUpperInvariant(), r => r.Value.GetInt64(), StringComparer.Ordinal)
        );
        var snapshots = info.GetProperty("snapshots").EnumerateArray().ToList();
        if (stream.Kind == "package")
        {
            Assert.Equal(
                stream.Contains.Order(),
                snapshots.Select(s => (Text(s, "name")!, ulong.Parse(Text(s, "guid")!))).Order()
            );
            return;
        }

        var snapshot = Assert.Single(snapshots);
        Assert.Equal(
            (stream.Snapshot, $"{stream.Guid}", stream.BaseGuid?.ToString(), stream.Type),
            (Text(snapshot, "name"), Text(snapshot, "guid"), Text(snapshot, "from_guid"), Text(snapshot, "type"))
        );
        Assert.Equal(
            (Recorded.IsRaw(stream), stream.IsResumed),
            (snapshot.GetProperty("raw").GetBoolean(), snapshot.GetProperty("resumed").GetBoolean())
        );
        Assert.Equal(Recorded.CreatedAt(stream), snapshot.GetProperty("created_at").GetDateTimeOffset());
    }

    [Theory]
    [InlineData("gzip", false)]
    [InlineData("gzip", true)]
    [InlineData("none", false)]
    [InlineData("none", true)]
    public async Task A_whole_stream_is_verified_from_a_file_and_from_a_pipe(string compression, bool byPipe)
    {
        var stream = Recorded.Get("large-blocks");

        var verified = await RunOnAsync(
            "verify",
            compression == "gzip" ? Recorded.Gzip("large-blocks") : stream.Bytes,
            byPipe
        );

        Assert.Equal(0, verified.ExitCode);
        Assert.Equal($"ok: {stream.TotalRecords} records, {stream.Length} bytes\n", verified.Output);
        Assert.Equal("", verified.Error);
        var info = await RunOnAsync(
            "info",
            compression == "gzip" ? Recorded.Gzip("large-blocks") : stream.Bytes,
            byPipe
        );
        Assert.Equal(0, info.ExitCode);
        Assert.Contains($"Compression: {compression}", info.Output, StringComparison.Ordinal);
        Assert.Contains($"{stream.Guid}", info.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flipped_bit_is_found_with_its_record_and_place(bool byPipe)
    {
        var stream = (byte[])Recorded.Plain("full").Clone();
        var places = Recorded.Boundaries(stream);
        const int Record = 50;
        stream[places[Record] + 20] ^= 1;

        foreach (var command in (string[])["verify", "info"])
        {
            var result = await RunOnAsync(command, stream, byPipe);

            Assert.Equal(7, result.ExitCode);
            Assert.Contains(
                $"record {Record}, counted from 0, at stream byte {places[Record]}",
                result.Error,
                StringComparison.Ordinal
            );
            Assert.Equal("", result.Output);
        }
    }

    [Theory]
    [InlineData(0, "record 0, counted from 0, at stream byte 0")]
    [InlineData(100, "record 0, counted from 0, at stream byte 100")]
    [InlineData(400_000, "at stream byte 400000")]
    public async Task A_stream_that_is_cut_ends_early_at_the_cut(int length, string place)
    {
        var result = await RunOnAsync("verify", Recorded.Plain("full")[..length], byPipe: true);

        Assert.Equal(7, result.ExitCode);
        Assert.Contains("ends early", result.Error, StringComparison.Ordinal);
        Assert.Contains(place, result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(20_000)]
    public async Task A_gzip_file_that_is_cut_is_damaged(int missing)
    {
        var result = await RunOnAsync("verify", Recorded.Gzip("full")[..^missing], byPipe: false);

        Assert.Equal(7, result.ExitCode);
        Assert.Contains("cut off", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_follows_a_gzip_file_is_not_overlooked()
    {
        Assert.Equal(7, (await RunOnAsync("verify", [.. Recorded.Gzip("full"), 0], byPipe: true)).ExitCode);
        Assert.Equal(
            7,
            (await RunOnAsync("verify", [.. Recorded.Gzip("full"), .. Recorded.Gzip("full")], byPipe: true)).ExitCode
        );
    }

    [Fact]
    public async Task The_half_that_an_interrupted_receive_saved_is_not_whole()
    {
        Assert.Equal(7, (await RunAsync(["stream", "verify", Recorded.PathOf("saved")])).ExitCode);
    }

    [Fact]
    public async Task A_fault_is_told_in_JSON_where_JSON_is_asked_for()
    {
        var result = await RunAsync(["stream", "verify", "-", "--json"], input: Recorded.Plain("full")[..1000]);

        Assert.Equal(7, result.ExitCode);
        var report = CommandJson.Parse(result.Output);
        var fault = Assert.Single(report.GetProperty("failures").EnumerateArray());
        Assert.Empty(report.GetProperty("results").EnumerateArray());
        Assert.Equal((false, "damaged"), (report.GetProperty("success").GetBoolean(), Text(fault, "code")));
        Assert.Contains("ends early", Text(fault, "message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_missing_or_a_folder_is_named()
    {
        var missing = await RunAsync(["stream", "verify", "no-such-file.zfs.gz"]);
        Assert.Equal(8, missing.ExitCode);
        Assert.Contains("no-such-file.zfs.gz", missing.Error, StringComparison.Ordinal);
        Assert.Equal(8, (await RunAsync(["stream", "info", "no/such/folder/file"])).ExitCode);

        var folder = await RunAsync(["stream", "verify", "."]);
        Assert.Equal(1, folder.ExitCode);
        Assert.DoesNotContain("Unexpected", folder.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-INT", 130)]
    [InlineData("-TERM", 143)]
    [InlineData("-HUP", 129)]
    public async Task A_pipe_that_brings_nothing_can_be_interrupted(string signal, int exitCode)
    {
        using var process = Command.Start(Repository.Program("zfs-restore"), ["stream", "verify", "-"], _folder);
        await process.StandardInput.BaseStream.WriteAsync(
            Recorded.Plain("full").AsMemory(0, 1000),
            TestContext.Current.CancellationToken
        );
        await process.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);

        (await Command.RunAsync("kill", [signal, $"{process.Id}"])).MustSucceed();

        await process
            .WaitForExitAsync(TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal(exitCode, process.ExitCode);
        Assert.Contains(
            "Interrupted",
            await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal
        );
    }

    private static JsonElement Json(CommandResult result) => CommandJson.Result(result.MustSucceed().Output);

    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) ? value.GetString() : null;

    private async Task<CommandResult> RunOnAsync(string command, byte[] stream, bool byPipe)
    {
        if (byPipe)
            return await RunAsync(["stream", command, "-"], stream);
        await File.WriteAllBytesAsync(Path.Combine(_folder, "stream"), stream, TestContext.Current.CancellationToken);
        return await RunAsync(["stream", command, "stream"]);
    }

    private Task<CommandResult> RunAsync(string[] arguments, byte[]? input = null) =>
        Command.RunAsync(Repository.Program("zfs-restore"), arguments, _folder, input: input);
}
