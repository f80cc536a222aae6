using System.Net;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>Commands that root runs beside a server that runs as a user of its own.</summary>
public sealed class RootCommandTests
{
    private const uint User = 65534;

    [Fact]
    public async Task What_root_changes_is_the_servers_and_in_force_at_once()
    {
        Requirement.Check(Environment.IsPrivilegedProcess, "only root can run a server as another user");
        await using var server = await ServerProcess.StartAsAsync(User);

        var added = (await server.RunAsync("client", "add", "web1")).MustSucceed().Output;
        Assert.Contains("The running server uses it.", added, StringComparison.Ordinal);
        using var client = await Uploader.CreateAsync(server, "web2");
        var stored = await client.StoreAsync(Recorded.Plain("empty"));
        (
            await server.RunAsync(
                "backup",
                "pin",
                stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!
            )
        ).MustSucceed();
        (await server.RunAsync("client", "disable", "web2")).MustSucceed();

        (await client.GetAsync("status")).AssertRefused(HttpStatusCode.Unauthorized, "unauthorized");
        await server.StopAsync();
        (await server.RunAsync("catalogue", "rebuild")).MustSucceed();
        var owners = await Command.RunAsync("find", [server.DataFolder, "-not", "-user", $"{User}"]);
        Assert.Equal("", owners.MustSucceed().Output);
        await server.StartAgainAsync();
        Assert.Contains(
            "web2",
            (await server.RunAsync("backup", "list")).MustSucceed().Output,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_change_that_the_server_cannot_read_is_a_failure_with_its_reason()
    {
        Requirement.Check(Environment.IsPrivilegedProcess, "only root can run a server as another user");
        await using var server = await ServerProcess.StartAsAsync(User, folder =>
        {
            var clients = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "etc")).FullName, "clients.json");
            File.WriteAllText(clients, "[]"); // root's, in a directory of root, and everybody may read it
            return new Dictionary<string, string>(StringComparer.Ordinal) { ["CONFIG_FILE"] = clients };
        });

        var added = await server.RunAsync("client", "add", "web1");

        Assert.Equal(11, added.ExitCode);
        Assert.Contains("did not accept the change", added.Error, StringComparison.Ordinal);
        Assert.Contains("API_KEY=zsm_", added.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_server_a_change_says_so()
    {
        await using var server = await ServerProcess.StartAsync();
        await server.StopAsync();

        var added = (await server.RunAsync("client", "add", "web1")).MustSucceed();

        Assert.Contains("No server runs on ", added.Output, StringComparison.Ordinal);
    }
}
