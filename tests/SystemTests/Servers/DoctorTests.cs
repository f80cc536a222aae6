using System.Globalization;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>
/// <c>zfs-server doctor</c> of a server that stores in a directory; the tests of S3 and ZFS storage cover the others.
/// </summary>
public sealed class DoctorTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task All_is_well_with_a_running_and_with_a_stopped_server_and_nothing_is_changed()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("empty"));

        var running = await DoctorReport.RunAsync(server);
        var lines = (await server.RunAsync("doctor")).MustSucceed().Output;
        await server.StopAsync();
        var before = Picture(server.Folder);
        var stopped = await DoctorReport.RunAsync(server);

        Assert.All(running.Checks.Concat(stopped.Checks), check => Assert.Equal("ok", check.Status));
        Assert.Equal(
            ("is running and ready", "is not running; its port is available"),
            (running.Find("server").Message, stopped.Find("server").Message)
        );
        Assert.DoesNotContain("zfs", running.Checks.Select(check => check.Name)); // no client is stored there
        Assert.Contains("ok       clients: 1 in ", lines, StringComparison.Ordinal);
        Assert.Equal(before, Picture(server.Folder));
    }

    [Fact]
    public async Task Before_the_first_start_it_creates_nothing_and_names_what_will_be_created()
    {
        var folder = Repository.NewFolder("doctor");

        var report = DoctorReport.Of(await RunAsync(folder, ("BIND_ADDRESS", "0.0.0.0"), ("PORT", "0")));

        Assert.True(report.ExitCode == 0, report.Text);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
        Assert.All(report.Checks.Where(check => check.Name is "data" or "store" or "catalogue"), check =>
            Assert.EndsWith("does not exist yet; the server creates it", check.Message, StringComparison.Ordinal)
        );
        Assert.Equal(
            ["address", "clients"],
            report.Checks.Where(check => check.Status == "warning").Select(check => check.Name)
        );
        Assert.Contains("zfs-server client add", report.Find("clients").Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Faults_are_named_with_their_exit_code_and_remedy()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("empty"));
        await AssertFailsAsync(server, 3, "settings", "PART_SIZE_MIB", ("PART_SIZE_MIB", "many"));
        await AssertFailsAsync(server, 4, "server", "127.0.0.1:1/ready", ("PORT", "1"));
        await AssertFailsAsync(
            server,
            3,
            "server",
            $"port {server.Port}",
            ("DATA_DIR", Path.Combine(server.Folder, "another"))
        );
        var missingZfs = await DoctorReport.RunAsync(
            server,
            ("ZFS_SSH_HOST", "nobody@127.0.0.1"),
            ("ZFS_BASE_DATASET", "tank/backup")
        );
        Assert.Equal((0, "warning"), (missingZfs.ExitCode, missingZfs.Find("zfs").Status)); // no client needs it

        await server.StopAsync();
        var (catalogue, clients) = (
            Path.Combine(server.DataFolder, "metadata.db"),
            Path.Combine(server.DataFolder, "clients.json")
        );
        File.SetUnixFileMode(
            server.DataFolder,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute
        );
        Assert.Contains(
            $"chmod 700 {server.DataFolder}",
            (await server.RunAsync("doctor")).MustSucceed().Output,
            StringComparison.Ordinal
        );
        await File.WriteAllTextAsync(clients, "[{\"client_id\": \"web1\"}]", Token);
        await AssertFailsAsync(server, 3, "clients", "clients.json");
        File.Delete(clients);
        File.Move(catalogue, catalogue + ".aside");
        await AssertFailsAsync(server, 8, "catalogue", "catalogue rebuild");
        await File.WriteAllTextAsync(catalogue, string.Concat(Enumerable.Repeat("nothing ", 1000)), Token);
        await AssertFailsAsync(server, 7, "catalogue", "catalogue rebuild");
    }

    private static async Task AssertFailsAsync(
        ServerProcess server,
        int exitCode,
        string name,
        string says,
        params (string Key, string Value)[] settings
    )
    {
        var report = await DoctorReport.RunAsync(server, settings);
        Assert.True(report.ExitCode == exitCode, report.Text);
        Assert.Equal([name], report.Failed);
        Assert.Contains(says, report.Text, StringComparison.Ordinal);
    }

    private static Task<CommandResult> RunAsync(string folder, params (string Key, string Value)[] settings) =>
        Command.RunAsync(
            Repository.Program("zfs-server"),
            ["doctor", "--json"],
            folder,
            settings.ToDictionary(setting => setting.Key, setting => setting.Value, StringComparer.Ordinal)
        );

    /// <summary>Every file with its size and when it was written.</summary>
    private static string Picture(string folder) =>
        string.Join(
            '\n',
            Directory
                .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
                .Where(path => !path.EndsWith("/log", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select(path =>
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{path} {new FileInfo(path).Length} {File.GetLastWriteTimeUtc(path):O}"
                    )
                )
        );
}
