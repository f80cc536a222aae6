using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>An ordinary user, with what <c>zfs allow</c> gives it and no more.</summary>
[Collection("zfs")]
public sealed class UnprivilegedTests(ZfsHost host)
{
    [Fact]
    public async Task The_lines_that_doctor_prints_are_all_that_a_user_needs()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data", "restores");
        await client.ShellAsync(
            $"id backup >/dev/null 2>&1 || useradd --create-home backup; chown -R backup {client.Folder} "
                + $"/{client.Area}/data && echo one > /{client.Area}/data/file"
        );

        await MendAsync(client, "zfs-client doctor", 8);
        var first = await RunAsync(client, "zfs-client backup");
        await client.ShellAsync($"echo two > /{client.Area}/data/file");
        var second = await RunAsync(client, "zfs-client snapshot daily --send");
        await RunAsync(client, "zfs-client rotate");
        await MendAsync(client, $"zfs-restore doctor {client.Area}/restores", 8);
        await RunAsync(client, $"zfs-restore latest {client.Area}/restores/data");

        Assert.Equal("full", first.GetProperty("kind").GetString());
        var snapshot = second.GetProperty("snapshot").GetString()!;
        await client.AssertSameAsync(snapshot, $"{client.Area}/restores/data");
        Assert.Contains(
            "root",
            (await client.ResultsAsync($"ZFS_SETTINGS_FILE={client.Folder}/.env zfs-client doctor"))
                .Single(check => check.GetProperty("name").GetString() == "permissions")
                .GetProperty("message")
                .GetString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Doctor_reports_a_wrong_key_and_an_unreachable_server_with_their_exit_codes()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");

        var wrong = await client.RunAsync("API_KEY=wrong zfs-client doctor");
        await server.KillAsync();
        var away = await client.RunAsync("zfs-client doctor");

        Assert.Equal((5, 4), (wrong.ExitCode, away.ExitCode));
        Assert.Contains("failed   server:", away.Output, StringComparison.Ordinal);
        Assert.Contains($"ok       dataset: {client.Area}/data", away.Output, StringComparison.Ordinal);
    }

    /// <summary>Lets root run the line that is printed for what is missing; then nothing is.</summary>
    private static async Task MendAsync(ClientMachine client, string doctor, int missing)
    {
        var sick = await AsUserAsync(client, $"{doctor} --json");
        Assert.Equal(6, sick.ExitCode);
        var check = CommandJson
            .Results(sick.Output)
            .Single(check => check.GetProperty("status").GetString() == "failed");
        Assert.Equal(missing, check.GetProperty("message").GetString()!.Split(',').Length);
        await client.ShellAsync(check.GetProperty("remedy").GetString()!.Split("Let root run: ")[1]);
        (await AsUserAsync(client, doctor)).MustSucceed();
    }

    private static async Task<JsonElement> RunAsync(ClientMachine client, string line) =>
        CommandJson.Result((await AsUserAsync(client, $"{line} --json")).MustSucceed().Output);

    private static Task<CommandResult> AsUserAsync(ClientMachine client, string line) =>
        client.RunAsync($"setpriv --reuid=backup --regid=backup --init-groups env HOME=/tmp PATH=$PATH {line}");
}
