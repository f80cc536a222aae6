using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.Tests;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>
/// Runs over thousands of datasets, on the stand-in for <c>zfs</c>, with 256 descriptors and every command over an ssh
/// that takes its time: what they need does not grow with the number of datasets.
/// </summary>
public sealed class ThousandsOfDatasetsTests
{
    /// <summary>Commands that every run needs, whatever it has to do.</summary>
    private const int Fixed = 12;

    /// <summary>The heap of the client is limited too, to 32 MiB: it ends if it needs more.</summary>
    private const string Limited = "ulimit -n 256 && DOTNET_GCHeapHardLimit=0x2000000";

    /// <summary>A soak runs over 10,000.</summary>
    [Fact]
    public async Task A_run_over_thousands_of_datasets_needs_a_few_commands_and_little_memory()
    {
        var datasets = RandomTest.IsSoak ? 10_000 : 1_200;
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server, datasets);
        var commands = await CountedCommands.CreateAsync(client, sshDelay: 0.3);
        // Lists are of some hundred datasets each, and several are needed.
        var most = Fixed + (datasets / 60);

        var plan = await RunAsync(client, commands, "zfs-client backup --dry-run");
        Assert.InRange((await commands.TakeAsync()).Count(call => call == "ssh"), 3, most);
        var snapshot = await RunAsync(client, commands, "zfs-client snapshot hourly");
        Assert.InRange((await commands.TakeAsync()).Count(call => call == "ssh"), 3, most);

        Assert.Equal(datasets + 1, plan.GetProperty("results").GetArrayLength());
        Assert.Equal(datasets + 1, snapshot.GetProperty("results").GetArrayLength());
        var made = await client.ShellAsync($"zfs list -H -r -t snapshot -o createtxg {client.Area}/data");
        Assert.Equal(datasets + 1, made.Split('\n').Length);
        Assert.Single(made.Split('\n').Distinct());
    }

    /// <summary>A soak backs up 1,200, twice.</summary>
    [Fact]
    public async Task A_dataset_that_did_not_change_takes_five_commands_at_most()
    {
        var datasets = RandomTest.IsSoak ? 1_200 : 40;
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server, datasets);
        var commands = await CountedCommands.CreateAsync(client, sshDelay: 0.05);
        await RunAsync(client, commands, "zfs-client backup");
        await commands.TakeAsync();

        var backup = await RunAsync(client, commands, "zfs-client backup");

        var results = backup.GetProperty("results").EnumerateArray().ToList();
        Assert.Equal(datasets + 1, results.Count);
        Assert.All(results, result => Assert.Equal("incremental", result.GetProperty("kind").GetString()));
        var calls = await commands.TakeAsync();
        var ssh = calls.Count(call => call == "ssh");
        Assert.InRange(ssh, results.Count, Fixed + (5 * results.Count));
        Assert.Equal(ssh - 1, calls.Length - ssh); // each runs one zfs, but for the one that asks for the machine's id
        foreach (var command in (string[])["hold", "release", "set", "snapshot"])
            Assert.InRange(calls.Count(call => call == command), 1, 1 + (results.Count / 50));
    }

    [Fact]
    public async Task A_program_may_have_as_many_descriptors_as_the_system_allows()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var commands = await CountedCommands.CreateAsync(client, $"ulimit -Sn > {client.Folder}/limit");

        (await client.RunAsync($"ulimit -Sn 64; {commands.Path} zfs-client bookmarks")).MustSucceed();

        Assert.Equal(await client.ShellAsync("ulimit -Hn"), await client.ShellAsync($"cat {client.Folder}/limit"));
    }

    private static async Task<ClientMachine> CreateAsync(ServerProcess server, int datasets)
    {
        var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        // Names as containers have them: together they are longer than an argument of ssh may be.
        var parent = $"{client.Area}/data/{new string('c', 100)}";
        await client.ShellAsync($"zfs create {parent} && zfs stand-in populate {parent} {datasets - 1}");
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data", "RECURSIVE=true");
        return client;
    }

    private static async Task<JsonElement> RunAsync(ClientMachine client, CountedCommands commands, string line)
    {
        var run = await client.RunAsync($"{Limited} ZFS_SSH_HOST=nas {commands.Path} {line} --json");
        Assert.True(run.ExitCode == 0, run.Text[..Math.Min(run.Text.Length, 5000)]);
        return CommandJson.Parse(run.Output);
    }
}
