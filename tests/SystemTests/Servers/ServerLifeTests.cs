using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary>How the server starts, refuses to start, stops, and starts again.</summary>
public sealed class ServerLifeTests
{
    private const UnixFileMode OwnersOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>No upload may keep the server from stopping for longer.</summary>
    private static readonly TimeSpan StopTime = Patience.Of(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Where_IPv6_is_switched_off_the_server_listens_on_all_addresses_of_IPv4()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["BIND_ADDRESS"] = "",
                ["LD_PRELOAD"] = await PreloadedLibrary.CompileAsync("Servers/no_ipv6.c"),
            }
        );

        await server.MustLogAsync("Serving on http://0.0.0.0:");
        Assert.Equal(0, (await DoctorReport.RunAsync(server)).ExitCode);
    }

    [Fact]
    public async Task Without_clients_it_serves_and_explains_how_to_add_the_first()
    {
        await using var server = await ServerProcess.StartAsync();

        await server.MustLogAsync("zfs-server client add");
        await server.MustLogAsync($"storing in {server.DataFolder}");

        var added = (await server.RunAsync("client", "add", "web1")).MustSucceed().Output;
        var lines = added.Split('\n');
        var key = lines.Single(line => line.StartsWith("API_KEY=", StringComparison.Ordinal))["API_KEY=".Length..];
        Assert.Contains("CLIENT_ID=web1", lines);
        using var http = server.As("web1", key);
        (await Answer.ReadAsync(await http.GetAsync("status", Token))).MustSucceed();
    }

    [Fact]
    public async Task A_second_server_on_the_same_directory_is_refused()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("empty"));

        var second = await RunServerAsync(("DATA_DIR", server.DataFolder));

        Assert.Equal(9, second.ExitCode);
        Assert.Contains(server.DataFolder, second.Text, StringComparison.Ordinal);
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task An_address_that_cannot_be_bound_is_named()
    {
        await using var server = await ServerProcess.StartAsync();

        var taken = await RunServerAsync(("PORT", $"{server.Port}"));
        Assert.Equal(3, taken.ExitCode);
        Assert.Contains($"127.0.0.1 port {server.Port}", taken.Error, StringComparison.Ordinal);

        var elsewhere = await RunServerAsync(("BIND_ADDRESS", "192.0.2.1"));
        Assert.True(elsewhere.ExitCode == 3, elsewhere.Text);
        Assert.Contains("192.0.2.1", elsewhere.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_wrong_settings_are_named_together_and_no_secret_is_printed()
    {
        var refused = await RunServerAsync(
            ("PORT", "99999"),
            ("BIND_ADDRESS", "localhost"),
            ("UPLOAD_IDLE_TIMEOUT", "soon"),
            ("ZFS_BASE_DATASET", "/backup"),
            ("S3_ENABLED", "perhaps"),
            ("S3_SECRET_KEY", "opensesame"),
            ("S3_ACCESS_KEY", "AKIAEXAMPLE")
        );

        Assert.Equal(3, refused.ExitCode);
        foreach (
            var fault in (string[])
                [
                    "PORT=99999",
                    "BIND_ADDRESS=localhost",
                    "UPLOAD_IDLE_TIMEOUT=soon",
                    "ZFS_BASE_DATASET=/backup",
                    "S3_ENABLED=perhaps",
                ]
        )
            Assert.Contains(fault, refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("opensesame", refused.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DATA_DIR", "file")]
    [InlineData("DATA_DIR", "file/inside")]
    [InlineData("CONFIG_FILE", "file")]
    [InlineData("METADATA_FILE", "file")]
    [InlineData("METADATA_FILE", "file/inside.db")]
    public async Task A_data_directory_that_cannot_be_used_is_named(string setting, string value)
    {
        var folder = Repository.NewFolder("server");
        await File.WriteAllTextAsync(
            Path.Combine(folder, "file"),
            "neither a folder nor JSON nor a database, and long enough to be looked at as one",
            Token
        );

        var refused = await RunServerAsync(folder, (setting, value));

        Assert.True(refused.ExitCode == 3, refused.Text);
        Assert.Contains(Path.Combine(folder, "file"), refused.Error, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>A complete object could only be copied there, and a power cut in mid-copy would lose it.</summary>
    [Theory]
    [InlineData("objects")]
    [InlineData("incoming")]
    [InlineData("objects/web1")]
    public async Task Objects_on_another_file_system_than_what_is_incoming_are_refused(string directory)
    {
        await using var server = await ServerProcess.StartAsync();
        await server.StopAsync();
        var other = Directory.CreateDirectory($"/dev/shm/zsm-test-{Guid.NewGuid():N}");
        try
        {
            var path = Path.Combine(server.DataFolder, directory);
            if (Directory.Exists(path))
                Directory.Move(path, $"{server.Folder}/before");
            Directory.CreateSymbolicLink(path, other.FullName);

            var started = await server.RunAsync();
            var doctor = await DoctorReport.RunAsync(server);

            Assert.Equal(3, started.ExitCode);
            Assert.Contains("is on another file system than", started.Error, StringComparison.Ordinal);
            Assert.Contains(path, started.Error, StringComparison.Ordinal);
            Assert.Contains(doctor.Checks, check => check is { Name: "store", Status: "failed" });
        }
        finally
        {
            other.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task SIGTERM_ends_it_immediately()
    {
        await using var server = await ServerProcess.StartAsync();
        var start = TimeProvider.System.GetTimestamp();

        Assert.Equal(0, await server.StopAsync());

        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.Zero, StopTime);
        Assert.DoesNotContain("fail:", server.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SIGTERM_ends_it_within_seconds_while_it_receives_and_nothing_is_left()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var stream = Recorded.Plain("large-blocks");
        var upload = await client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = "none" }
        );
        var before = await client.PictureAsync();
        using var connection = await RawConnection.BeginUploadAsync(server, client, upload);
        await connection.SendChunkAsync(stream.AsMemory(0, stream.Length / 2));
        var start = TimeProvider.System.GetTimestamp();

        var exitCode = await server.StopAsync();

        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.Zero, StopTime);
        Assert.Equal(0, exitCode);
        Assert.Empty(server.StoredFiles());
        await server.StartAgainAsync();
        Assert.Equal(before, await client.PictureAsync());
        (await client.SendAsync(upload, stream)).MustSucceed();
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task A_restart_keeps_backups_and_open_uploads()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("full"));
        var upload = await client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = "none" }
        );
        await client.SendAsync(upload, "noise"u8.ToArray());
        var (before, state) = (await client.PictureAsync(), (await client.GetAsync($"upload-stream/{upload}")).Text);

        Assert.Equal(0, await server.StopAsync());
        await server.StartAgainAsync();

        Assert.Equal(
            (before, state),
            (await client.PictureAsync(), (await client.GetAsync($"upload-stream/{upload}")).Text)
        );
        (await client.SendAsync(upload, Recorded.Plain("incremental-1"))).MustSucceed();
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task The_catalogue_lies_beside_the_first_program_s_metadata_which_stay_unchanged()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["METADATA_FILE"] = "metadata.json" }
        );
        await server.StopAsync();
        Assert.True(File.Exists(Path.Combine(server.Folder, "metadata.db")));
        Assert.False(File.Exists(Path.Combine(server.Folder, "metadata.json")));
        Assert.Empty(Directory.GetFiles(server.DataFolder, "*.db"));
        var json = Path.Combine(server.Folder, "metadata.json");
        await File.WriteAllTextAsync(json, "{\"snapshots\":[]}", Token);

        await server.StartAgainAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("empty"));

        Assert.Equal("{\"snapshots\":[]}", await File.ReadAllTextAsync(json, Token));
    }

    [Fact]
    public async Task A_catalogue_of_a_later_version_is_refused_and_left_alone()
    {
        const int UserVersionOffset = 60; // in the header of an SQLite file
        await using var server = await ServerProcess.StartAsync();
        await server.StopAsync();
        var path = Path.Combine(server.DataFolder, "metadata.db");
        Assert.False(File.Exists(path + "-wal"), "a server that has stopped leaves its catalogue in one file");
        var catalogue = await File.ReadAllBytesAsync(path, Token);
        BinaryPrimitives.WriteInt32BigEndian(catalogue.AsSpan(UserVersionOffset), 9999);
        await File.WriteAllBytesAsync(path, catalogue, Token);

        var refused = await RunServerAsync(("DATA_DIR", server.DataFolder));

        Assert.Equal(3, refused.ExitCode);
        Assert.Contains("later version", refused.Error, StringComparison.Ordinal);
        Assert.Equal(catalogue, await File.ReadAllBytesAsync(path, Token));
    }

    [Theory]
    [InlineData("serve")]
    [InlineData("client add")]
    public async Task Only_the_owner_can_read_the_data_directory_whichever_command_creates_it(string first)
    {
        await using var server = await ServerProcess.StartAsync();
        if (first == "client add")
        {
            await server.StopAsync();
            Directory.Delete(server.DataFolder, recursive: true);
            await server.AddClientAsync("client0");
            Assert.Equal(OwnersOnly, File.GetUnixFileMode(server.DataFolder));
            await server.StartAgainAsync();
        }

        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("empty"));

        Assert.Equal(OwnersOnly, File.GetUnixFileMode(server.DataFolder));
        string[] secret =
        [
            Path.Combine(server.DataFolder, "clients.json"),
            .. Directory.GetFiles(Path.Combine(server.DataFolder, "objects"), "*", SearchOption.AllDirectories),
        ];
        Assert.Equal(4, secret.Length); // with an object, its manifest, and the mark of the catalogue
        Assert.All(secret, file =>
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file))
        );
    }

    [Fact]
    public async Task Settings_are_read_from_the_env_file_of_the_directory()
    {
        await using var server = await ServerProcess.StartAsync();
        await server.StopAsync();
        await File.WriteAllTextAsync(Path.Combine(server.Folder, ".env"), "DATA_DIR=elsewhere\nPORT=1\n", Token);

        await server.StartAgainAsync(); // its port is in the environment, which wins

        Assert.True(Directory.Exists(Path.Combine(server.Folder, "elsewhere", "objects")));
    }

    [Fact]
    public async Task A_client_is_not_added_twice()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server, "web1");

        foreach (var name in (string[])["web1", "WEB1"])
        {
            var refused = await server.RunAsync("client", "add", name);
            Assert.Equal(9, refused.ExitCode);
            Assert.Contains(name, refused.Error, StringComparison.Ordinal);
        }

        (await client.GetAsync("status")).MustSucceed();
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("../up")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("_a")]
    [InlineData("-a")]
    [InlineData("ä")]
    [InlineData("a\nb")]
    [InlineData("a2345678901234567890123456789012345678901234567890123456789012345")]
    public async Task A_client_s_name_must_be_valid_in_a_path_and_a_key(string name)
    {
        var folder = Repository.NewFolder("server");

        var refused = await Command.RunAsync(Repository.Program("zfs-server"), ["client", "add", name], folder);

        Assert.True(refused.ExitCode == 2, refused.Text);
        Assert.False(File.Exists(Path.Combine(folder, "zfs-server-data", "clients.json")));
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("--max-size", "lots")]
    [InlineData("--max-size", "-5")]
    [InlineData("--max-size", "99999999999T")]
    [InlineData("--dataset", "/backup")]
    [InlineData("--storage-type", "tape")]
    public async Task A_wrong_option_of_a_client_is_refused_by_name(string option, string value)
    {
        var folder = Repository.NewFolder("server");

        var refused = await Command.RunAsync(
            Repository.Program("zfs-server"),
            ["client", "add", "web1", option, value],
            folder
        );

        Assert.Equal(2, refused.ExitCode);
        Assert.Contains(value, refused.Error, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Of_many_clients_added_concurrently_none_is_lost()
    {
        await using var server = await ServerProcess.StartAsync();
        var names = Enumerable.Range(1, 20).Select(i => $"web{i}").ToList();

        var keys = await Task.WhenAll(names.Select(name => server.AddClientAsync(name)));

        var listed = CommandJson.Results((await server.RunAsync("client", "list", "--json")).MustSucceed().Output);
        Assert.Equal(
            names.Order(StringComparer.Ordinal),
            listed.Select(c => c.GetProperty("client_id").GetString()!).Order(StringComparer.Ordinal)
        );
        foreach (var (name, key) in names.Zip(keys))
        {
            using var http = server.As(name, key);
            (await Answer.ReadAsync(await http.GetAsync("status", Token))).MustSucceed();
        }
    }

    private static async Task<CommandResult> RunServerAsync(params (string Setting, string Value)[] settings)
    {
        var folder = Repository.NewFolder("server");
        var result = await RunServerAsync(folder, settings);
        Directory.Delete(folder, recursive: true);
        return result;
    }

    /// <summary>
    /// Runs a server that is expected to end; one that keeps serving is stopped after a while, with exit code 124.
    /// </summary>
    private static Task<CommandResult> RunServerAsync(string folder, params (string Setting, string Value)[] settings)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["BIND_ADDRESS"] = "127.0.0.1",
            ["PORT"] = "0",
        };
        foreach (var (setting, value) in settings)
            environment[setting] = value;
        return Command.RunAsync("timeout", ["20", Repository.Program("zfs-server")], folder, environment);
    }
}
