using System.Text;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// Restores of trees that end in the middle, and what the next run makes of them. On the stand-in for <c>zfs</c>.
/// </summary>
public sealed class TreeRestoreTests
{
    private const string Marks =
        "zfs get -H -r -s local -o name,property all AREA/back | grep zfs-snapshot-manager || true";

    [Fact]
    public async Task A_member_whose_restore_was_killed_at_its_end_keeps_no_mark()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var killed = await client.WrapZfsAsync("'rename '*/a.restoring*) \"$zfs\" \"$@\"; kill -9 $PPID; exit 1");
        await client.RunAsync($"{killed} {Restore(client)}");
        await client.ShellAsync($"zfs list {client.Area}/back.restoring/a");

        (await client.RunAsync(Restore(client))).MustSucceed();

        Assert.Equal("", await client.ShellAsync(Marks.Replace("AREA", client.Area, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_tree_that_was_killed_at_its_end_is_reported_with_all_its_members_by_the_next_run()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var killed = await client.WrapZfsAsync(
            $"'rename {client.Area}/back.restoring '*) \"$zfs\" \"$@\"; kill -9 $PPID; exit 1"
        );
        await client.RunAsync($"{killed} {Restore(client)}");

        var result = await client.JsonAsync($"{Restore(client)} --properties");

        Assert.Equal(2, result.GetProperty("children").GetArrayLength());
        Assert.Equal(3, result.GetProperty("properties").GetArrayLength());
        Assert.Equal("on", await client.ShellAsync($"zfs get -H -o value org:set {client.Area}/back/b"));
        Assert.Equal("", await client.ShellAsync(Marks.Replace("AREA", client.Area, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_restore_without_descendants_is_not_taken_for_one_with_them()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var killed = await client.WrapZfsAsync(
            $"'rename {client.Area}/back.restoring '*) \"$zfs\" \"$@\"; kill -9 $PPID; exit 1"
        );
        await client.RunAsync($"{killed} zfs-restore latest {client.Area}/back --source {client.Area}/data");

        var next = await client.RunAsync(Restore(client));

        Assert.Equal(9, next.ExitCode);
        Assert.Contains("without 2 of its descendant datasets", next.Error, StringComparison.Ordinal);
        Assert.Contains($" {client.Area}/back/a", next.Error, StringComparison.Ordinal);
        var commands = next
            .Error.Split('\n', StringSplitOptions.TrimEntries)
            .Where(line => line.StartsWith("zfs-restore restore ", StringComparison.Ordinal))
            .ToList();
        Assert.Equal(2, commands.Count);
        foreach (var command in commands)
            (await client.RunAsync(command)).MustSucceed();
        await client.ShellAsync($"zfs list {client.Area}/back/a {client.Area}/back/b");
    }

    [Fact]
    public async Task What_was_received_of_a_member_that_is_left_out_stays_and_is_named_with_the_way_to_finish_it()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = "1" }
        );
        await using var client = await CreateAsync(server, bytesOfB: 12 << 20);
        var stored = new DirectoryInfo(Path.Combine(server.DataFolder, "objects"))
            .EnumerateFiles("*.zfs.gz", SearchOption.AllDirectories)
            .MaxBy(file => file.Length)!;
        var content = await File.ReadAllBytesAsync(stored.FullName, TestContext.Current.CancellationToken);
        var damaged = content.ToArray();
        damaged[damaged.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(stored.FullName, damaged, TestContext.Current.CancellationToken);
        Assert.Equal(7, (await client.RunAsync(Restore(client))).ExitCode);

        var without = (await client.RunAsync($"{Restore(client)} --exclude {client.Area}/data/b")).MustSucceed();

        Assert.Contains($"{client.Area}/back/b.restoring is not complete", without.Error, StringComparison.Ordinal);
        await File.WriteAllBytesAsync(stored.FullName, content, TestContext.Current.CancellationToken);
        var command = without.Error[without.Error.IndexOf("zfs-restore restore ", StringComparison.Ordinal)..];
        var finished = await client.RunAsync(command[..command.IndexOf(". To discard", StringComparison.Ordinal)]);
        Assert.Contains("Resuming the interrupted restore", finished.MustSucceed().Error, StringComparison.Ordinal);
        await client.ShellAsync($"zfs list {client.Area}/back/b");
    }

    [Fact]
    public async Task A_damaged_member_of_a_tree_is_named_the_others_stay_and_the_rest_can_be_finished_without_it()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(
            new StandInHost(),
            server,
            "data",
            "data/a",
            "data/b",
            "data/b/c",
            "data/d"
        );
        await client.WriteAsync("data/b", ("large", 3 << 20));
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data", "RECURSIVE=true");
        await client.ResultsAsync("zfs-client backup");
        var damaged = new DirectoryInfo(Path.Combine(server.DataFolder, "objects"))
            .EnumerateFiles("*.zfs.gz", SearchOption.AllDirectories)
            .MaxBy(file => file.Length)!;
        var content = await File.ReadAllBytesAsync(damaged.FullName, TestContext.Current.CancellationToken);
        var whole = content.ToArray();
        content[content.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(damaged.FullName, content, TestContext.Current.CancellationToken);
        var restore = Restore(client);

        var failed = await client.RunAsync(restore);

        Assert.Equal(7, failed.ExitCode);
        Assert.Contains("2 of 4 descendant datasets could not be restored", failed.Error, StringComparison.Ordinal);
        Assert.Contains($"{client.Area}/data/b: ", failed.Error, StringComparison.Ordinal);
        Assert.Contains(
            $"{client.Area}/data/b/c: {client.Area}/data/b is missing",
            failed.Error,
            StringComparison.Ordinal
        );
        Assert.Contains($"--exclude '{client.Area}/data/b'", failed.Error, StringComparison.Ordinal);
        await client.ShellAsync($"zfs list {client.Area}/back.restoring/a {client.Area}/back.restoring/d");
        await File.WriteAllBytesAsync(damaged.FullName, whole, TestContext.Current.CancellationToken);
        var repaired = await client.RunAsync(restore);
        Assert.DoesNotContain("data/a:", repaired.MustSucceed().Error, StringComparison.Ordinal);
        Assert.Contains("data/b:", repaired.Error, StringComparison.Ordinal);
        await client.ShellAsync($"zfs list {client.Area}/back/b/c && zfs destroy -r {client.Area}/back");
        await File.WriteAllBytesAsync(damaged.FullName, content, TestContext.Current.CancellationToken);

        (await client.RunAsync($"{restore} --exclude {client.Area}/data/b")).MustSucceed();
        Assert.Equal(
            "back\nback/a\nback/d",
            await client.ShellAsync($"zfs list -H -o name -r {client.Area}/back | sed 's,{client.Area}/,,'")
        );
    }

    private static string Restore(ClientMachine client) =>
        $"zfs-restore latest {client.Area}/back --source {client.Area}/data --recursive";

    private static async Task<ClientMachine> CreateAsync(ServerProcess server, int bytesOfB = 100_000)
    {
        var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data", "data/a", "data/b");
        await client.WriteAsync("data/b", ("file", bytesOfB));
        await client.ShellAsync($"zfs set org:set=on {client.Area}/data/b");
        await client.WriteSettingsAsync($"LOCAL_DATASET={client.Area}/data", "RECURSIVE=true");
        await client.ResultsAsync("zfs-client backup");
        return client;
    }
}
