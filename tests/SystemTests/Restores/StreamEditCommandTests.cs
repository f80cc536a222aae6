using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary><c>zfs-restore stream merge|resume-token|splice|resume-receive</c> on files and pipes.</summary>
public sealed class StreamEditCommandTests : IDisposable
{
    private readonly string _folder = Repository.NewFolder("edit");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_chain_of_files_is_merged_into_a_file()
    {
        var made = Json(
            await RunAsync([
                "stream",
                "merge",
                Recorded.PathOf("full"),
                Recorded.PathOf("incremental-1"),
                Recorded.PathOf("incremental-2"),
                "-o",
                "merged.zfs",
                "--json",
            ])
        );

        Assert.Equal(InFolder("merged.zfs"), made.GetProperty("file").GetString());
        Assert.Equal(new FileInfo(InFolder("merged.zfs")).Length, made.GetProperty("stream_bytes").GetInt64());
        var info = Json(await RunAsync(["stream", "info", "merged.zfs", "--json"]));
        Assert.Equal("full", info.GetProperty("kind").GetString());
        Assert.Equal(
            $"{Recorded.Get("incremental-2").Guid}",
            info.GetProperty("snapshots")[0].GetProperty("guid").GetString()
        );
        Assert.Equal([InFolder("merged.zfs")], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Streams_come_from_pipes_and_go_into_pipes()
    {
        var whole = Recorded.Plain("incremental-1");
        var result = await ShellAsync(
            $"gunzip < {Recorded.PathOf("incremental-1")} | {Program} stream merge - | tee out.zfs | {Program} "
                + "stream verify -"
        );

        Assert.Equal(
            $"ok: {Recorded.Get("incremental-1").TotalRecords} records, {whole.Length} bytes\n",
            result.MustSucceed().Output
        );
        Assert.Equal(whole, await ReadAsync("out.zfs"));
    }

    [Fact]
    public async Task What_cannot_be_merged_is_refused_and_leaves_nothing()
    {
        var unfit = await RunAsync([
            "stream",
            "merge",
            Recorded.PathOf("full"),
            Recorded.PathOf("incremental-2"),
            "-o",
            "merged.zfs",
        ]);
        Assert.Equal(9, unfit.ExitCode);
        Assert.Contains(
            "stream 2 (tank/plain@three) is incremental to the snapshot with GUID",
            unfit.Error,
            StringComparison.Ordinal
        );

        await File.WriteAllBytesAsync(
            InFolder("cut.gz"),
            Recorded.Gzip("incremental-1")[..^5000],
            TestContext.Current.CancellationToken
        );
        var damaged = await RunAsync(["stream", "merge", Recorded.PathOf("full"), "cut.gz", "-o", "merged.zfs"]);
        Assert.Equal(7, damaged.ExitCode);
        Assert.Contains("cut.gz", damaged.Error, StringComparison.Ordinal);

        Assert.Equal([InFolder("cut.gz")], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task A_pipe_gets_no_end_when_a_stream_is_damaged()
    {
        await File.WriteAllBytesAsync(
            InFolder("cut.zfs"),
            Recorded.Plain("incremental-1")[..^100],
            TestContext.Current.CancellationToken
        );
        var result = await ShellAsync(
            $"set -o pipefail; {Program} stream merge {Recorded.PathOf("full")} cut.zfs | {Program} stream verify -"
        );
        Assert.Equal(7, result.ExitCode);
        Assert.Contains("ends early", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_is_replaced_only_by_force()
    {
        await File.WriteAllTextAsync(InFolder("there"), "mine", TestContext.Current.CancellationToken);
        var refused = await RunAsync(["stream", "merge", Recorded.PathOf("full"), "-o", "there"]);
        Assert.Equal(9, refused.ExitCode);
        Assert.Contains("--force", refused.Error, StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(InFolder("there"), TestContext.Current.CancellationToken));

        (await RunAsync(["stream", "merge", Recorded.PathOf("full"), "-o", "there", "--force"])).MustSucceed();
        Assert.Equal(Recorded.Plain("full"), await ReadAsync("there"));
        Assert.Equal(9, (await RunAsync(["stream", "merge", Recorded.PathOf("full"), "-o", "."])).ExitCode);
    }

    [Theory]
    [InlineData("stream merge - -")]
    [InlineData("stream merge")]
    [InlineData("stream merge - --json")]
    [InlineData("stream splice - rest.zfs -o out.zfs")]
    public async Task A_command_line_that_cannot_work_is_refused(string line)
    {
        var result = await RunAsync(line.Split(' '));
        Assert.Equal(2, result.ExitCode);
        Assert.NotEqual("", line.EndsWith("--json", StringComparison.Ordinal) ? result.Output : result.Error);
    }

    [Fact]
    public async Task A_cut_stream_gets_the_token_of_its_last_whole_record()
    {
        var real = RecordedStream.All["resumed.zfs.gz"];
        await File.WriteAllBytesAsync(
            InFolder("cut.zfs"),
            Recorded.Plain("full")[..200_000],
            TestContext.Current.CancellationToken
        );

        var token = (await RunAsync(["stream", "resume-token", "cut.zfs"])).MustSucceed().Output.Trim();
        var made = Json(await RunAsync(["stream", "resume-token", "cut.zfs", "--json"]));
        var shown = Json(await RunAsync(["stream", "resume-token", token, "--json"]));

        Assert.Equal(token, made.GetProperty("token").GetString());
        Assert.InRange(made.GetProperty("good_bytes").GetInt64(), 180_000, 200_000);
        Assert.Contains("ends early", made.GetProperty("fault").GetString(), StringComparison.Ordinal);
        foreach (var name in (string[])["token", "snapshot", "guid", "object", "offset", "bytes", "send_options"])
            Assert.Equal(made.GetProperty(name).ToString(), shown.GetProperty(name).ToString());
        foreach (var name in (string[])["guid", "object", "offset", "bytes"]) // 64 bits: no number for JavaScript
            Assert.Equal(JsonValueKind.String, shown.GetProperty(name).ValueKind);
        Assert.Equal(
            (real.Snapshot, $"{real.Guid}"),
            (shown.GetProperty("snapshot").GetString(), shown.GetProperty("guid").GetString())
        );
        Assert.Contains(
            real.Snapshot,
            (await RunAsync(["stream", "resume-token", real.Token!])).MustSucceed().Output,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_cut_gzip_file_gets_a_token_too()
    {
        await File.WriteAllBytesAsync(
            InFolder("cut.gz"),
            Recorded.Gzip("full")[..^20_000],
            TestContext.Current.CancellationToken
        );
        var made = Json(await RunAsync(["stream", "resume-token", "cut.gz", "--json"]));
        Assert.InRange(made.GetProperty("good_bytes").GetInt64(), 10_000, Recorded.Plain("full").Length - 1000);
    }

    [Theory]
    [InlineData("whole", 9)]
    [InlineData("empty", 9)]
    [InlineData("package", 9)]
    public async Task Where_there_is_nothing_to_go_on_with_is_said(string what, int exitCode)
    {
        byte[] stream = what switch
        {
            "whole" => Recorded.Plain("full"),
            "package" => Recorded.Plain("package")[..10_000],
            _ => [],
        };
        await File.WriteAllBytesAsync(InFolder("cut.zfs"), stream, TestContext.Current.CancellationToken);
        var result = await RunAsync(["stream", "resume-token", "cut.zfs"]);
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Equal("", result.Output);
    }

    [Fact]
    public async Task A_mistyped_token_is_refused()
    {
        var token = RecordedStream.All["resumed.zfs.gz"].Token!;
        var result = await RunAsync(["stream", "resume-token", token[..^1] + (token[^1] == '0' ? '1' : '0')]);
        Assert.Equal(7, result.ExitCode);
        Assert.Contains("not a resume token", result.Error, StringComparison.Ordinal);
        Assert.Equal(
            7,
            (
                await RunAsync(["stream", "resume-receive", "1-2-3-4", Recorded.PathOf("full"), "-o", "rest.zfs"])
            ).ExitCode
        );
    }

    [Theory]
    [InlineData("full", "resumed")]
    [InlineData("incremental-1", "resumed-incremental")]
    [InlineData("raw", "resumed-raw")]
    [InlineData("large-compressed-embedded", "resumed-compressed")]
    public async Task A_cut_stream_and_its_rest_are_spliced(string whole, string rest)
    {
        // The rests start earlier than the cut: what both have is taken once.
        var stream = Recorded.Plain(whole);
        await File.WriteAllBytesAsync(
            InFolder("cut.zfs"),
            stream[..(stream.Length * 9 / 10)],
            TestContext.Current.CancellationToken
        );

        (await RunAsync(["stream", "splice", "cut.zfs", Recorded.PathOf(rest), "-o", "whole.zfs"])).MustSucceed();

        Assert.Equal(stream, await ReadAsync("whole.zfs"));
    }

    [Fact]
    public async Task Parts_of_different_streams_are_not_spliced()
    {
        await File.WriteAllBytesAsync(
            InFolder("cut.zfs"),
            Recorded.Plain("full")[..300_000],
            TestContext.Current.CancellationToken
        );
        var result = await RunAsync(["stream", "splice", "cut.zfs", Recorded.PathOf("resumed-raw"), "-o", "whole.zfs"]);
        Assert.Equal(9, result.ExitCode);
        Assert.Contains("do not belong together", result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(InFolder("whole.zfs")));
    }

    [Theory]
    [InlineData("full", "resumed")]
    [InlineData("raw", "resumed-raw")]
    public async Task The_rest_for_a_receive_is_what_ZFS_itself_would_send(string whole, string rest)
    {
        (
            await RunAsync([
                "stream",
                "resume-receive",
                RecordedStream.All[rest + ".zfs.gz"].Token!,
                Recorded.PathOf(whole),
                "-o",
                "rest.zfs",
            ])
        ).MustSucceed();
        Assert.Equal(Recorded.Plain(rest), await ReadAsync("rest.zfs"));
    }

    [Fact]
    public async Task A_merge_that_waits_for_a_pipe_can_be_interrupted_and_leaves_no_file()
    {
        using var process = Command.Start(Program, ["stream", "merge", "-", "-o", "merged.zfs"], _folder);
        await process.StandardInput.BaseStream.WriteAsync(
            Recorded.Plain("full").AsMemory(0, 600_000),
            TestContext.Current.CancellationToken
        );
        await process.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        await Patience.UntilAsync("the file is begun", () => File.Exists(InFolder("merged.zfs.partial")));

        (await Command.RunAsync("kill", ["-INT", $"{process.Id}"])).MustSucceed();

        await process
            .WaitForExitAsync(TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal(130, process.ExitCode);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Theory]
    [InlineData("stream merge FULL")]
    [InlineData("stream resume-receive TOKEN FULL")]
    [InlineData("stream splice CUT REST")]
    public async Task A_reader_that_ends_early_is_a_failure(string command)
    {
        var result = await ShellAsync($"{await CommandAsync(command)} | true; exit ${{PIPESTATUS[0]}}");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("its reader ended before it had everything", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Unexpected", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stream merge FULL")]
    [InlineData("stream resume-receive TOKEN FULL")]
    [InlineData("stream splice CUT REST")]
    [InlineData("stream info FULL")]
    [InlineData("stream info FULL --json")]
    [InlineData("--help")]
    public async Task A_full_disk_behind_standard_output_is_named(string command)
    {
        var result = await ShellAsync($"{await CommandAsync(command)} > /dev/full");

        Assert.Equal(10, result.ExitCode);
        Assert.Contains("No space left on device", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Unexpected", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_disk_behind_standard_error_stops_nothing()
    {
        var result = await ShellAsync($"{await CommandAsync("stream resume-token CUT")} 2> /dev/full");

        Assert.StartsWith("1-", result.MustSucceed().Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_follows_in_the_same_file_is_written_behind_the_stream()
    {
        (
            await ShellAsync(
                $"{{ echo before; {Program} stream merge '{Recorded.PathOf("full")}'; echo behind; }} > out && "
                    + $"{Program} stream merge '{Recorded.PathOf("full")}' > alone && "
                    + "{ echo before; cat alone; echo behind; } | cmp - out"
            )
        ).MustSucceed();
    }

    [Theory]
    [InlineData("")]
    [InlineData("nohup ")]
    public async Task A_command_under_nohup_outlives_its_terminal(string nohup)
    {
        var line = $"exec {nohup}{Program} stream verify -";
        using var process = Command.Start("bash", ["-c", line], _folder);
        var (first, rest) = (Recorded.Plain("full").AsMemory(0, 300_000), Recorded.Plain("full").AsMemory(300_000));
        // More than a pipe holds: the program reads, and so it has registered its signals.
        await process.StandardInput.BaseStream.WriteAsync(first, TestContext.Current.CancellationToken);

        (await Command.RunAsync("kill", ["-HUP", $"{process.Id}"])).MustSucceed();

        if (nohup.Length > 0)
        {
            await process.StandardInput.BaseStream.WriteAsync(rest, TestContext.Current.CancellationToken);
            process.StandardInput.Close();
        }

        await process
            .WaitForExitAsync(TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal(nohup.Length > 0 ? 0 : 129, process.ExitCode);
    }

    private async Task<string> CommandAsync(string command)
    {
        await File.WriteAllBytesAsync(
            InFolder("cut.zfs"),
            Recorded.Plain("full")[..300_000],
            TestContext.Current.CancellationToken
        );
        return $"{Program} "
            + command
                .Replace("FULL", Recorded.PathOf("full"), StringComparison.Ordinal)
                .Replace("CUT", "cut.zfs", StringComparison.Ordinal)
                .Replace("REST", Recorded.PathOf("resumed"), StringComparison.Ordinal)
                .Replace("TOKEN", RecordedStream.All["resumed.zfs.gz"].Token, StringComparison.Ordinal);
    }

    private static string Program => Repository.Program("zfs-restore");

    private static JsonElement Json(CommandResult result) => CommandJson.Result(result.MustSucceed().Output);

    private string InFolder(string name) => Path.Combine(_folder, name);

    private Task<byte[]> ReadAsync(string name) =>
        File.ReadAllBytesAsync(InFolder(name), TestContext.Current.CancellationToken);

    private Task<CommandResult> RunAsync(string[] arguments) =>
        Command.RunAsync(Program, arguments, _folder, input: []);

    private Task<CommandResult> ShellAsync(string line) => Command.RunAsync("bash", ["-c", line], _folder, input: []);
}
