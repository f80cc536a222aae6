using System.Net;
using System.Net.Sockets;
using System.Text;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>zfs-restore's settings, help and exit codes.</summary>
public sealed class CommandLineTests(SharedServer server) : IClassFixture<SharedServer>
{
    private static readonly string[] Verbs = ["list", "restore", "latest", "save", "mount", "verify", "stream", "help"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("help")]
    [InlineData("--help")]
    [InlineData("-h")]
    public async Task Help_names_every_command(string argument)
    {
        var help = (await RunAsync(new Dictionary<string, string>(StringComparer.Ordinal), argument)).MustSucceed();

        foreach (var verb in Verbs)
            Assert.Matches($"(?m)^  {verb}\\b", help.Output);
        Assert.Equal("", help.Error);
    }

    [Fact]
    public async Task Every_command_s_help_ends_in_examples()
    {
        foreach (var verb in Verbs.Except(["help", "stream"]))
        {
            var help = (
                await RunAsync(new Dictionary<string, string>(StringComparer.Ordinal), verb, "--help")
            ).MustSucceed();
            Assert.Contains($"Examples:\n  zfs-restore {verb}", help.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_version_is_printed()
    {
        Assert.Matches(
            "^[0-9]+\\.[0-9]+\\.[0-9]+",
            (await RunAsync(new Dictionary<string, string>(StringComparer.Ordinal), "--version")).MustSucceed().Output
        );
    }

    [Theory]
    [InlineData]
    [InlineData("bogus")]
    [InlineData("list", "--bogus")]
    [InlineData("list", "more")]
    [InlineData("stream")]
    [InlineData("stream", "verify")]
    [InlineData("stream", "verify", "a", "b")]
    [InlineData("save", "1")]
    [InlineData("save", "first", "file")]
    [InlineData("restore", "1")]
    [InlineData("restore", "1", "tank/$(reboot)")]
    [InlineData("latest", "tank/data@one")]
    [InlineData("verify", "everything")]
    [InlineData("verify", "-1")]
    public async Task A_wrong_command_line_ends_with_exit_code_2(params string[] arguments)
    {
        using var client = await server.NewClientAsync();

        var result = await client.RestoreAsync(arguments);

        Assert.Equal(2, result.ExitCode);
        Assert.NotEqual("", result.Error);
    }

    [Fact]
    public async Task All_missing_settings_are_named_at_once()
    {
        var result = await RunAsync(new Dictionary<string, string>(StringComparer.Ordinal), "list");

        Assert.Equal(3, result.ExitCode);
        foreach (var name in (string[])["CLIENT_ID", "API_KEY", "SERVER_URL"])
            Assert.Contains($"{name} is missing", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SERVER_URL", "backup-server:8080", "SERVER_URL=backup-server:8080")]
    [InlineData("SERVER_URL", "ftp://backup-server", "SERVER_URL=ftp://backup-server")]
    [InlineData("SERVER_URL", "", "SERVER_URL is missing")]
    [InlineData("API_KEY_FILE", "/no/such/file", "API_KEY_FILE")]
    [InlineData("API_KEY_FILE", "/dev/null", "API_KEY_FILE")]
    public async Task A_wrong_setting_is_named_with_its_value(string name, string value, string named)
    {
        using var client = await server.NewClientAsync();

        var result = await RunAsync(
            new Dictionary<string, string>(client.Settings, StringComparer.Ordinal) { [name] = value },
            "list"
        );

        Assert.Equal(3, result.ExitCode);
        Assert.Contains(named, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(client.Key, result.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_password_in_the_address_is_refused_and_not_shown()
    {
        using var client = await server.NewClientAsync();

        var result = await RunAsync(
            new Dictionary<string, string>(client.Settings, StringComparer.Ordinal)
            {
                ["SERVER_URL"] = "http://ann:opensesame@backup-server",
            },
            "list"
        );

        Assert.Equal(3, result.ExitCode);
        Assert.Contains("SERVER_URL", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("opensesame", result.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_key_is_read_from_its_file()
    {
        using var client = await server.NewClientAsync();
        await File.WriteAllTextAsync(Path.Combine(client.Folder, "key"), client.Key + "\n", Token);

        (
            await RunAsync(
                new Dictionary<string, string>(client.Settings, StringComparer.Ordinal)
                {
                    ["API_KEY"] = "",
                    ["API_KEY_FILE"] = Path.Combine(client.Folder, "key"),
                },
                "list"
            )
        ).MustSucceed();
    }

    [Fact]
    public async Task A_server_that_is_not_there_ends_with_exit_code_4()
    {
        using var client = await server.NewClientAsync();

        var result = await RunAsync(
            new Dictionary<string, string>(client.Settings, StringComparer.Ordinal)
            {
                ["SERVER_URL"] = "http://127.0.0.1:1",
            },
            "list"
        );

        Assert.Equal(4, result.ExitCode);
        Assert.Contains("http://127.0.0.1:1", result.Error, StringComparison.Ordinal);
        Assert.Contains("cannot be reached", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_another_one_is_not_believed()
    {
        using var client = await server.NewClientAsync();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeOnceAsync(
            listener,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 17\r\nConnection: close\r\n\r\n<h1>It "
                + "works</h1>"
        );

        var result = await RunAsync(
            new Dictionary<string, string>(client.Settings, StringComparer.Ordinal)
            {
                ["SERVER_URL"] = $"http://{listener.LocalEndpoint}",
            },
            "list"
        );

        await serving;
        Assert.Equal(11, result.ExitCode);
        Assert.Contains("answered with a web page and not like a zfs-server", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_key_ends_with_exit_code_5_and_is_not_shown()
    {
        using var client = await server.NewClientAsync();

        var result = await RunAsync(
            new Dictionary<string, string>(client.Settings, StringComparer.Ordinal) { ["API_KEY"] = "zsm_wrong" },
            "list"
        );

        Assert.Equal(5, result.ExitCode);
        Assert.DoesNotContain("zsm_wrong", result.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("save", "0", "file")]
    [InlineData("save", "2", "file")]
    [InlineData("verify", "2")]
    [InlineData("verify", "0")]
    [InlineData("restore", "2", "tank/restored")]
    [InlineData("latest", "tank/restored", "--source", "tank/other")]
    public async Task A_backup_that_is_not_there_ends_with_exit_code_8(params string[] arguments)
    {
        using var client = await server.NewClientAsync();
        await client.StoreAsync(Recorded.Gzip("empty"), compression: "gzip");

        var result = await client.RestoreAsync(arguments);

        Assert.Equal(8, result.ExitCode);
        Assert.Contains("zfs-restore list", result.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(client.Folder));
    }

    [Fact]
    public async Task The_env_file_of_the_folder_is_read_and_the_environment_wins_over_it()
    {
        using var client = await server.NewClientAsync();
        await WriteSettingsAsync(client, client.Key);
        (await RunInAsync(client, [])).MustSucceed();
        Assert.Equal(
            5,
            (
                await RunInAsync(
                    client,
                    new Dictionary<string, string>(StringComparer.Ordinal) { ["API_KEY"] = "wrong" }
                )
            ).ExitCode
        );

        await WriteSettingsAsync(client, "wrong");
        Assert.Equal(5, (await RunInAsync(client, [])).ExitCode);
        (
            await RunInAsync(
                client,
                new Dictionary<string, string>(StringComparer.Ordinal) { ["API_KEY"] = client.Key }
            )
        ).MustSucceed();
    }

    [Fact]
    public async Task The_list_is_the_table_of_the_first_program_newest_first()
    {
        using var client = await server.NewClientAsync();
        Assert.Equal("No backups exist yet.\n", (await client.RestoreAsync("list")).MustSucceed().Output);
        await client.StoreAsync(Recorded.Plain("full"), "tank/a");
        await client.StoreAsync(Recorded.Plain("incremental-1"), "tank/a");

        var lines = (await client.RestoreAsync("list"))
            .MustSucceed()
            .Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Matches("^# +Snapshot ID +Timestamp +Size", lines[0]);
        var (full, incremental) = (Recorded.Get("full"), Recorded.Get("incremental-1"));
        Assert.Matches(
            $"^1 +{client.Id}/tank_a_[^ ]+ +{Recorded.CreatedAt(incremental):yyyy-MM-dd HH:mm} "
                + $"+{incremental.Length / 1000.0:0.0} kB",
            lines[1]
        );
        Assert.Matches(
            $"^2 +{client.Id}/tank_a_[^ ]+ +{Recorded.CreatedAt(full):yyyy-MM-dd HH:mm} +{full.Length / 1000.0:0.0} kB",
            lines[2]
        );
        Assert.Equal(3, lines.Length);
    }

    private static Task WriteSettingsAsync(Uploader client, string key) =>
        File.WriteAllTextAsync(
            Path.Combine(client.Folder, ".env"),
            $"# settings\nCLIENT_ID={client.Id}\nAPI_KEY=\"{key}\"\nSERVER_URL={client.Settings["SERVER_URL"]}\n",
            Token
        );

    private static Task<CommandResult> RunInAsync(Uploader client, Dictionary<string, string> environment) =>
        Command.RunAsync(Repository.Program("zfs-restore"), ["list"], client.Folder, environment);

    /// <summary>In a folder without an .env file.</summary>
    private Task<CommandResult> RunAsync(Dictionary<string, string> environment, params string[] arguments) =>
        Command.RunAsync(Repository.Program("zfs-restore"), arguments, server.Process.Folder, environment);

    private static async Task ServeOnceAsync(TcpListener listener, string answer)
    {
        using var connection = await listener.AcceptTcpClientAsync(Token);
        var stream = connection.GetStream();
        Assert.NotEqual(0, await stream.ReadAsync(new byte[65536], Token));
        await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), Token);
    }
}
