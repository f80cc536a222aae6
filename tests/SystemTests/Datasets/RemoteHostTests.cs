using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>The programs on this machine, <c>zfs</c> on another (ZFS_SSH_HOST).</summary>
[Collection("zfs")]
public sealed class RemoteHostTests(ZfsHost host)
{
    [Fact]
    public async Task A_machine_that_cannot_run_the_client_is_backed_up_and_restored_over_ssh()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "my data");
        await client.ShellAsync(
            $"cd '/{client.Area}/my data' && dd if=/dev/urandom of=random bs=1M count=3 2>/dev/null && zfs set "
                + "org.example:note='$(touch /tmp/pwned); `touch /tmp/pwned` '\\''; touch /tmp/pwned' "
                + $"'{client.Area}/my data'"
        );
        await using var here = await RemoteClient.CreateAsync(client);

        (await here.RunAsync("zfs-client", "doctor")).MustSucceed();
        (await here.RunAsync("zfs-client", "backup")).MustSucceed();
        await client.ShellAsync($"echo more > '/{client.Area}/my data/file'");
        (await here.RunAsync("zfs-client", "backup")).MustSucceed();
        (await here.RunAsync("zfs-restore", "latest", $"{client.Area}/re stored", "--properties")).MustSucceed();

        Assert.Equal(
            ["incremental", "full"],
            (await client.ListBackupsAsync()).Select(backup =>
                backup.TryGetProperty("from_guid", out _) ? "incremental" : "full"
            )
        );
        var snapshot = (await client.SnapshotsOfAsync($"{client.Area}/my data")).Last(name =>
            name.Contains('@', StringComparison.Ordinal)
        );
        await client.AssertSameAsync(snapshot, $"{client.Area}/re stored");
        Assert.Equal(await NoteOfAsync("my data"), await NoteOfAsync("re stored"));
        Assert.NotEqual(0, (await host.RunAsync("test -e /tmp/pwned")).ExitCode);

        Task<string> NoteOfAsync(string dataset) =>
            client.ShellAsync($"zfs get -H -o value org.example:note '{client.Area}/{dataset}'");
    }

    [Fact]
    public async Task A_backup_whose_ssh_connection_breaks_resumes_with_the_next_run()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = "1" }
        );
        await using var client = await ClientMachine.CreateAsync(host, server, "my data");
        // Far more than the buffers of the client and of ssh hold.
        await client.ShellAsync($"head -c 24M /dev/urandom > '/{client.Area}/my data/random' && sync");
        await using var here = await RemoteClient.CreateAsync(client);
        await using var proxy = new TcpProxy(server.Port);
        proxy.BeSilentAfter(4_000_000);
        using var backup = here.Start("zfs-client", "backup", ("SERVER_URL", $"http://127.0.0.1:{proxy.Port}"));
        await proxy.UntilSilentAsync();

        (await Command.RunAsync("pkill", ["-TERM", "-f", $"send.*{client.Area}.*@"])).MustSucceed();
        await host.RunAsync($"pkill -f 'zfs [s]end.*{client.Area}/'"); // the shared connection stays, and would keep it

        proxy.Fault = NetworkFault.None;

        var error = await backup.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await Patience.WaitForEndAsync(backup, "the backup");
        Assert.True(backup.ExitCode == 6, $"exit code {backup.ExitCode}: {error}");
        Assert.Contains("the next run resumes from there", error, StringComparison.Ordinal);
        var next = (await here.RunAsync("zfs-client", "backup-full", "--json")).MustSucceed();
        Assert.Contains("\"resumed\"", next.Output, StringComparison.Ordinal);
        (await here.RunAsync("zfs-restore", "latest", $"{client.Area}/restored")).MustSucceed();
        var snapshot = Assert.Single(await client.SnapshotsOfAsync($"{client.Area}/my data"), name =>
            name.Contains('@', StringComparison.Ordinal)
        );
        await client.AssertSameAsync(snapshot, $"{client.Area}/restored");
    }

    [Fact]
    public async Task Hostile_names_are_refused_before_anything_runs()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        await using var here = await RemoteClient.CreateAsync(client);

        string[] names = ["tank/x; touch /tmp/pwned", "tank/$(touch /tmp/pwned)", "tank/x' 'y", "-r"];
        foreach (var name in names)
        {
            var refused = await here.RunAsync("zfs-client", "backup", $"--dataset={name}");
            Assert.True(refused.ExitCode == 3, $"{name}: {refused.ExitCode} {refused.Text}");
            refused = await here.RunAsync("zfs-restore", "latest", "--", name);
            Assert.True(refused.ExitCode == 2, $"{name}: {refused.ExitCode} {refused.Text}");
        }

        Assert.NotEqual(0, (await host.RunAsync("test -e /tmp/pwned")).ExitCode);
    }

    [Fact]
    public async Task An_unreachable_host_is_named_with_what_to_try()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        await using var here = await RemoteClient.CreateAsync(client, "localhost.invalid");

        var result = await here.RunAsync("zfs-client", "backup");

        Assert.Equal(6, result.ExitCode);
        Assert.Contains("ssh -o BatchMode=yes localhost.invalid", result.Error, StringComparison.Ordinal);
    }
}
