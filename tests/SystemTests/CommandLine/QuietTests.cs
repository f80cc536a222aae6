using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Backups;
using ZfsSnapshotManager.SystemTests.Datasets;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.CommandLine;

/// <summary>
/// <c>--quiet</c>: cron mails only if something is wrong, and then what is wrong. On the stand-in for <c>zfs</c>.
/// </summary>
public sealed class QuietTests
{
    private readonly StandInHost _host = new();

    [Fact]
    public async Task A_good_run_prints_nothing()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(_host, server, "data", "data/child");
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data", "RECURSIVE=true", "KEEP_MANUAL=1");
        await client.WriteAsync("data", ("file", 300_000));

        foreach (
            var line in (string[])
                [
                    "zfs-client backup --dry-run",
                    "zfs-client backup",
                    "zfs-client backup-full --verbose",
                    "zfs-client backup-incremental",
                    "zfs-client snapshot hourly --send",
                    "zfs-client snapshot daily",
                    "KEEP_DAILY=0 zfs-client rotate",
                    "zfs-client rotate-remote",
                    $"zfs-restore latest {client.Area}/all --source {client.Area}/data --recursive --properties",
                    $"zfs-restore restore 1 {client.Area}/one",
                    "zfs-restore save 1 saved",
                    "zfs-restore verify all --verbose",
                ]
        )
            AssertSilent((await client.RunAsync($"{line} --quiet")).MustSucceed());
        AssertSilent((await server.RunAsync("catalogue", "check", "--deep", "-q")).MustSucceed());
    }

    [Fact]
    public async Task What_fails_is_printed_and_nothing_else()
    {
        await using var lab = await BackupLab.CreateEmptyAsync(_host, 1, "data", "other");
        await lab.SetAsync($"LOCAL_DATASET={lab.Dataset},{lab.Client.Area}/other");
        await lab.ChangeAsync();
        await _host.OutputAsync($"zfs stand-in damage {lab.Dataset} large");

        var backup = await lab.Client.RunAsync("zfs-client backup --quiet");
        var json = await lab.Client.RunAsync("zfs-client backup --quiet --json");

        Assert.Equal((6, 6), (backup.ExitCode, json.ExitCode));
        foreach (var result in (CommandResult[])[backup, json])
        {
            Assert.Contains($"warning: {lab.Dataset} is not backed up: ", result.Error, StringComparison.Ordinal);
            Assert.All(result.Error.TrimEnd('\n').Split('\n'), line =>
                Assert.StartsWith("warning: ", line, StringComparison.Ordinal)
            );
        }

        Assert.Contains("Backed up 1 of 2 datasets.", backup.Output, StringComparison.Ordinal);
        var report = CommandJson.Parse(json.Output);
        Assert.Single(report.GetProperty("failures").EnumerateArray());
        Assert.Empty(report.GetProperty("warnings").EnumerateArray());
    }

    [Theory]
    [InlineData("--quiet > /dev/null")]
    [InlineData("--json > /dev/null")]
    [InlineData("--quiet --json > /dev/null")]
    [InlineData("--json > /dev/full")]
    public async Task A_server_that_is_away_is_seen_on_standard_error(string options)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(_host, server, "data");
        await server.KillAsync();

        var backup = await client.RunAsync($"RETRY_TIME=0 zfs-client backup {options}");

        Assert.Equal(4, backup.ExitCode);
        Assert.StartsWith("zfs-client: ", backup.Error, StringComparison.Ordinal);
        Assert.Contains($"127.0.0.1:{server.Port}", backup.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--quiet")]
    [InlineData("--json")]
    public async Task A_snapshot_that_cannot_be_destroyed_is_a_warning_in_every_mode(string options)
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(_host, server, "data");
        var first = (await client.JsonAsync("zfs-client snapshot hourly")).GetProperty("snapshot").GetString()!;
        await client.JsonAsync("zfs-client snapshot hourly");
        var commands = await CountedCommands.CreateAsync(
            client,
            "[ $1 = destroy ] && { echo 'cannot destroy snapshots: permission denied' >&2; exit 1; }"
        );

        var rotated = await client.RunAsync($"{commands.Path} KEEP_HOURLY=1 zfs-client rotate {options}");

        Assert.Equal(6, rotated.ExitCode);
        var warning = $"{first} could not be destroyed: ";
        Assert.Contains($"warning: {warning}", rotated.Error, StringComparison.Ordinal);
        if (options == "--json")
            Assert.StartsWith(
                warning,
                Assert.Single(CommandJson.Parse(rotated.Output).GetProperty("warnings").EnumerateArray()).GetString(),
                StringComparison.Ordinal
            );
    }

    [Fact]
    public async Task Doctor_prints_what_is_not_well()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(_host, server, "data");
        (await client.RunAsync("zfs-client backup")).MustSucceed();

        var checks = await client.ResultsAsync("zfs-client doctor");
        var good = (await client.RunAsync("zfs-client doctor --quiet")).MustSucceed();
        var failed = await client.RunAsync("API_KEY=wrong zfs-client doctor --quiet");

        Assert.Equal("", good.Output);
        Assert.Equal(CountOf(checks, "warning"), good.Error.Split("warning: ").Length - 1);
        Assert.Equal(5, failed.ExitCode);
        Assert.StartsWith("failed   server: ", failed.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("ok  ", failed.Output, StringComparison.Ordinal);
    }

    private static int CountOf(IEnumerable<JsonElement> checks, string status) =>
        checks.Count(check => check.GetProperty("status").GetString() == status);

    private static void AssertSilent(CommandResult result) => Assert.Equal(("", ""), (result.Output, result.Error));
}
