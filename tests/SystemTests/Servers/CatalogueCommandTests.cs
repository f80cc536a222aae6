using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.SystemTests.Rotation;

namespace ZfsSnapshotManager.SystemTests.Servers;

/// <summary><c>zfs-server catalogue rebuild</c> and <c>check</c> on a store of files.</summary>
public sealed class CatalogueCommandTests
{
    private const string Full = "full",
        First = "incremental-1",
        Second = "incremental-2",
        Other = "empty";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_lost_catalogue_is_rebuilt_as_it_was(bool crashed)
    {
        await using var lab = await Lab.StartAsync();
        var before = (await lab.Client.GetAsync("snapshots")).MustSucceed().Text;
        // Then its log lies beside the catalogue, and must not be read as the new one's.
        if (crashed)
            await lab.Server.KillAsync();
        else
            await lab.Server.StopAsync();
        File.Delete(lab.Catalogue);

        var rebuilt = (await lab.Server.RunAsync("catalogue", "rebuild")).MustSucceed();

        Assert.Contains("4 backups are listed", rebuilt.Output, StringComparison.Ordinal);
        await lab.Server.StartAgainAsync();
        Assert.Equal(before, (await lab.Client.GetAsync("snapshots")).MustSucceed().Text);
        (await lab.Client.RestoreAsync("verify", "all")).MustSucceed();
        Assert.Empty(Kinds(await lab.RunJsonAsync(0, "check", "--deep")));
    }

    [Fact]
    public async Task Manifests_of_version_1_are_read_checked_and_listed_again()
    {
        await using var lab = await Lab.StartAsync();
        var before = (await lab.Client.GetAsync("snapshots")).MustSucceed().Text;
        foreach (var name in (string[])[Full, First, Second, Other])
            await EarlierManifest.RewriteAsync(lab.ManifestOf(name));

        var verified = (await lab.Client.RestoreAsync("verify", "all", "--verbose")).MustSucceed();
        Assert.DoesNotContain("in one go", verified.Error, StringComparison.Ordinal);
        Assert.Empty(Kinds(await lab.RunJsonAsync(0, "check", "--deep")));
        await lab.Server.StopAsync();
        File.Delete(lab.Catalogue);
        (await lab.Server.RunAsync("catalogue", "rebuild")).MustSucceed();

        await lab.Server.StartAgainAsync();
        Assert.Equal(before, (await lab.Client.GetAsync("snapshots")).MustSucceed().Text);
    }

    [Fact]
    public async Task The_old_catalogue_is_kept_and_its_id_stays()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Server.KillAsync();

        var first = await lab.RunJsonAsync(0, "rebuild");
        var second = await lab.RunJsonAsync(0, "rebuild");

        var kept = first.GetProperty("previous_catalogue").GetString()!;
        Assert.StartsWith(lab.Catalogue + ".before-rebuild-", kept, StringComparison.Ordinal);
        Assert.NotEqual(kept, second.GetProperty("previous_catalogue").GetString());
        Assert.Equal(4, second.GetProperty("previous_listed").GetInt32());
        Assert.Empty(Directory.GetFiles(lab.Server.DataFolder, "metadata.db.rebuilt*"));
        File.Copy(kept, lab.Catalogue, overwrite: true);
        await lab.Server.StartAgainAsync();
        Assert.Equal(4, (await lab.Client.GetAsync("snapshots")).Json.GetProperty("snapshots").GetArrayLength());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Pins_and_expiries_are_kept_if_the_old_catalogue_can_be_read(bool readable)
    {
        await using var lab = await Lab.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DELETE_DELAY_HOURS"] = "48" }
        );
        var now = TimeProvider.System.GetUtcNow();
        await lab.Client.StoreAsync(StreamChain.Stream(1, 0, now.AddHours(-2)), "tank/rotated");
        await lab.Client.StoreAsync(StreamChain.Stream(2, 0, now), "tank/rotated");
        (await lab.Server.RunAsync("backup", "pin", lab.IdOf(First))).MustSucceed();
        using (
            var nothing = new StringContent(
                """{"rotation_policy":{"keep_hourly":0,"keep_daily":0,"keep_weekly":0,"keep_monthly":0}}"""
            )
        )
        {
            Assert.Equal(
                1,
                (await Answer.ReadAsync(await lab.Client.Http.PostAsync("rotate", nothing, Token)))
                    .MustSucceed()
                    .Json.GetProperty("expiring_count")
                    .GetInt32()
            );
        }

        var before = await MarksAsync();
        Assert.Collection(
            before,
            mark => Assert.StartsWith("expiring 1 ", mark, StringComparison.Ordinal),
            mark => Assert.Equal($"pinned {lab.IdOf(First)}", mark)
        );
        await lab.Server.StopAsync();
        if (!readable)
            await File.WriteAllTextAsync(
                lab.Catalogue,
                string.Concat(Enumerable.Repeat("this is no database; ", 500)),
                Token
            );

        var rebuilt = (await lab.Server.RunAsync("catalogue", "rebuild")).MustSucceed();

        await lab.Server.StartAgainAsync();
        Assert.Equal(readable ? before : [], await MarksAsync());
        Assert.Equal(readable, !rebuilt.Output.Contains("pin again those that must stay", StringComparison.Ordinal));

        async Task<IReadOnlyList<string>> MarksAsync()
        {
            var backups = (await lab.Client.GetAsync("snapshots"))
                .MustSucceed()
                .Json.GetProperty("snapshots")
                .EnumerateArray()
                .ToList();
            return
            [
                .. backups
                    .Where(backup => backup.TryGetProperty("expires_at", out _))
                    .Select(backup =>
                        $"expiring {backup.GetProperty("snapshot_guid")} {backup.GetProperty("expires_at")}"
                    ),
                .. backups
                    .Where(backup => backup.TryGetProperty("pinned", out _))
                    .Select(backup => $"pinned {backup.GetProperty("snapshot_id")}"),
            ];
        }
    }

    [Fact]
    public async Task A_rebuild_is_refused_while_the_server_runs()
    {
        await using var lab = await Lab.StartAsync();

        Assert.Equal(9, (await lab.Server.RunAsync("catalogue", "rebuild")).ExitCode);
        Assert.Equal(9, (await lab.Server.RunAsync("catalogue", "rebuild", "--dry-run")).ExitCode);
    }

    [Fact]
    public async Task Damaged_backups_are_left_out_with_all_that_depend_on_them_until_they_are_fixed()
    {
        await using var lab = await Lab.StartAsync();
        var before = (await lab.Client.GetAsync("snapshots")).MustSucceed().Text;
        await lab.Server.StopAsync();
        var manifest = await File.ReadAllBytesAsync(lab.ManifestOf(Full), Token);
        await File.WriteAllTextAsync(lab.ManifestOf(Full), "{\"format_version\": 1, \"objects\": [null]}", Token);

        var rebuilt = await lab.RunJsonAsync(7, "rebuild");

        Assert.Equal(["base_missing", "base_missing", "manifest_unreadable"], Kinds(rebuilt));
        Assert.Equal((1, 3), (rebuilt.GetProperty("listed").GetInt32(), rebuilt.GetProperty("left_out").GetInt32()));
        Assert.Equal(3, rebuilt.GetProperty("no_longer_listed").GetArrayLength());
        await lab.Server.StartAgainAsync();
        Assert.Equal(1, (await lab.Client.GetAsync("snapshots")).Json.GetProperty("snapshots").GetArrayLength());
        await lab.Server.StopAsync();

        await File.WriteAllBytesAsync(lab.ManifestOf(Full), manifest, Token);
        Assert.Empty(Kinds(await lab.RunJsonAsync(0, "rebuild")));
        await lab.Server.StartAgainAsync();
        Assert.Equal(before, (await lab.Client.GetAsync("snapshots")).MustSucceed().Text);
    }

    [Theory]
    [InlineData("manifest damaged", "manifest_unreadable", "manifest_unreadable")]
    [InlineData("manifest says null", "manifest_unreadable", "manifest_unreadable")]
    [InlineData("manifest of another client", "manifest_misplaced", "manifest_misplaced")]
    [InlineData("manifest missing", "orphan_object", "manifest_missing")]
    [InlineData("manifest changed", "", "manifest_differs")]
    [InlineData("object missing", "object_missing", "object_missing")]
    [InlineData("object cut", "object_size", "object_size")]
    [InlineData("both missing", "object_missing", "object_missing")]
    [InlineData("orphan", "orphan_object", "orphan_object")]
    [InlineData("further object", "orphan_object", "orphan_object")]
    [InlineData("duplicate", "duplicate", "duplicate")]
    [InlineData("byte flipped", "", "")]
    public async Task Each_fault_is_found_and_named(string fault, string byRebuild, string byCheck)
    {
        await using var lab = await Lab.StartAsync();
        await lab.HarmAsync(fault);

        AssertKinds(byCheck, await lab.RunJsonAsync(byCheck.Length == 0 ? 0 : 7, "check"));
        AssertKinds(byCheck, await lab.RunJsonAsync(byCheck.Length == 0 ? 0 : 7, "check", "--client", lab.Client.Id));
        await lab.Server.StopAsync();
        var files = lab.Files();
        AssertKinds(byRebuild, await lab.RunJsonAsync(byRebuild.Length == 0 ? 0 : 7, "rebuild", "--dry-run"));
        Assert.Equal(files, lab.Files());
        var rebuilt = await lab.Server.RunAsync("catalogue", "rebuild");
        Assert.Equal(byRebuild.Length == 0 ? 0 : 7, rebuilt.ExitCode);
        if (byRebuild.Length > 0)
            Assert.Contains($": {byRebuild}: ", rebuilt.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Backups_missing_in_the_catalogue_are_named_until_it_is_rebuilt()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Server.StopAsync();
        File.Move(lab.Catalogue, $"{lab.Catalogue}.aside");
        Assert.Equal(8, (await lab.Server.RunAsync("catalogue", "check")).ExitCode);
        File.Move($"{lab.Catalogue}.aside", lab.Catalogue);
        await using (var catalogue = new SqliteConnection($"Data Source={lab.Catalogue};Pooling=false"))
        {
            await catalogue.OpenAsync(Token);
            await using var command = catalogue.CreateCommand();
            command.CommandText = "DELETE FROM backups";
            Assert.Equal(4, await command.ExecuteNonQueryAsync(Token));
        }

        Assert.Equal(
            ["not_listed", "not_listed", "not_listed", "not_listed"],
            Kinds(await lab.RunJsonAsync(7, "check"))
        );
        Assert.Empty(Kinds(await lab.RunJsonAsync(0, "rebuild")));
        Assert.Empty(Kinds(await lab.RunJsonAsync(0, "check")));
    }

    [Fact]
    public async Task Only_the_deep_check_finds_a_flipped_byte_and_continues_after_it()
    {
        await using var lab = await Lab.StartAsync();
        await lab.HarmAsync("byte flipped");

        Assert.Empty(Kinds(await lab.RunJsonAsync(0, "check")));
        var deep = await lab.RunJsonAsync(7, "check", "--deep");

        Assert.Equal(["part_damaged"], Kinds(deep));
        Assert.Equal(4, deep.GetProperty("checked").GetInt32());
        var text = await lab.Server.RunAsync("catalogue", "check", "--deep");
        Assert.Equal(7, text.ExitCode);
        Assert.Equal(3, text.Output.Split('\n').Count(line => line.EndsWith(": ok", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_check_is_silent_while_uploads_run()
    {
        await using var lab = await Lab.StartAsync();
        using var done = new CancellationTokenSource();
        var uploads = Task.Run(() => UploadUntilAsync(lab, done.Token), Token);
        for (var round = 0; round < 5; round++)
            Assert.Empty(Kinds(await lab.RunJsonAsync(0, "check")));
        Assert.Empty(Kinds(await lab.RunJsonAsync(0, "check", "--deep")));
        await done.CancelAsync();
        Assert.True(await uploads > 0);
    }

    [Fact]
    public async Task An_interrupted_upload_is_a_note()
    {
        await using var lab = await Lab.StartAsync();
        var upload = (
            await lab.Client.AskAsync(new JsonObject { ["dataset_name"] = "tank/cut", ["compression"] = "none" })
        ).MustSucceed();
        await lab.Server.KillAsync();
        await File.WriteAllBytesAsync(
            Path.Combine(lab.Objects, upload.Json.GetProperty("storage_key").GetString()!),
            Recorded.Plain(Other),
            Token
        );

        var check = await lab.RunJsonAsync(0, "check");
        Assert.Equal("upload_under_way", check.GetProperty("notes")[0].GetProperty("kind").GetString());
        var rebuilt = await lab.RunJsonAsync(0, "rebuild");
        Assert.Equal("upload_under_way", rebuilt.GetProperty("notes")[0].GetProperty("kind").GetString());
    }

    [Fact]
    public async Task A_killed_rebuild_leaves_a_complete_catalogue_in_force()
    {
        await using var lab = await Lab.StartAsync();
        var before = (await lab.Client.GetAsync("snapshots")).MustSucceed().Text;
        await lab.Server.StopAsync();
        for (var delay = 2; delay < 80; delay += 6)
        {
            using var rebuild = Command.Start(
                Repository.Program("zfs-server"),
                ["catalogue", "rebuild"],
                lab.Server.Folder
            );
            await Task.Delay(delay, Token);
            rebuild.Kill();
            await rebuild.WaitForExitAsync(Token);
            await lab.Server.StartAgainAsync();
            Assert.Equal(before, (await lab.Client.GetAsync("snapshots")).MustSucceed().Text);
            await lab.Server.StopAsync();
        }

        Assert.Empty(Kinds(await lab.RunJsonAsync(0, "rebuild")));
    }

    [Fact]
    public async Task A_catalogue_that_is_not_a_database_is_replaced_and_kept()
    {
        await using var lab = await Lab.StartAsync();
        var before = (await lab.Client.GetAsync("snapshots")).MustSucceed().Text;
        await lab.Server.StopAsync();
        await File.WriteAllTextAsync(
            lab.Catalogue,
            string.Concat(Enumerable.Repeat("this is no database; ", 500)),
            Token
        );
        Assert.Equal(7, (await lab.Server.RunAsync("catalogue", "check")).ExitCode);

        var rebuilt = await lab.RunJsonAsync(0, "rebuild");

        Assert.NotEqual("", rebuilt.GetProperty("previous_fault").GetString());
        Assert.Contains(
            "no database",
            await File.ReadAllTextAsync(rebuilt.GetProperty("previous_catalogue").GetString()!, Token),
            StringComparison.Ordinal
        );
        await lab.Server.StartAgainAsync();
        Assert.Equal(before, (await lab.Client.GetAsync("snapshots")).MustSucceed().Text);
    }

    private static async Task<int> UploadUntilAsync(Lab lab, CancellationToken done)
    {
        var count = 0;
        for (; !done.IsCancellationRequested; count++)
            await lab.Client.StoreAsync(Recorded.Plain(Full), $"tank/many{count}");
        return count;
    }

    private static void AssertKinds(string expected, JsonElement report) =>
        Assert.Equal(expected.Length == 0 ? [] : [expected], Kinds(report));

    private static IReadOnlyList<string> Kinds(JsonElement report) =>
        [
            .. report
                .GetProperty("findings")
                .EnumerateArray()
                .Select(finding => finding.GetProperty("kind").GetString()!)
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>A server with a chain of three backups, and one by itself.</summary>
    private sealed class Lab : IAsyncDisposable
    {
        private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);

        private Lab(ServerProcess server, Uploader client) => (Server, Client) = (server, client);

        public ServerProcess Server { get; }

        public Uploader Client { get; }

        public string Catalogue => Path.Combine(Server.DataFolder, "metadata.db");

        public string Objects => Path.Combine(Server.DataFolder, "objects");

        public static async Task<Lab> StartAsync(IReadOnlyDictionary<string, string>? settings = null)
        {
            var server = await ServerProcess.StartAsync(settings);
            var lab = new Lab(server, await Uploader.CreateAsync(server));
            foreach (var name in (string[])[Full, First, Second])
                lab._paths[name] = lab.Client.ObjectOf(await lab.Client.StoreAsync(Recorded.Plain(name)));
            lab._paths[Other] = lab.Client.ObjectOf(
                await lab.Client.StoreAsync(Recorded.Gzip(Other), "tank/other", "gzip")
            );
            return lab;
        }

        public string IdOf(string name) => Path.ChangeExtension(Path.GetRelativePath(Objects, _paths[name]), null);

        public string ManifestOf(string name) => _paths[name] + ".manifest.json";

        /// <summary>Damages the newest backup of the chain, on which no other depends.</summary>
        public async Task HarmAsync(string fault)
        {
            var (path, manifest) = (_paths[Second], ManifestOf(Second));
            var text = await File.ReadAllTextAsync(manifest, Token);
            if (fault == "manifest damaged")
                await File.WriteAllTextAsync(manifest, text[..(text.Length / 2)], Token);
            if (fault == "manifest says null")
                await File.WriteAllTextAsync(
                    manifest,
                    text.Replace("\"dataset_type\":\"filesystem\"", "\"dataset_type\":null", StringComparison.Ordinal),
                    Token
                );
            if (fault == "manifest of another client")
                await File.WriteAllTextAsync(
                    manifest,
                    text.Replace("\"client_id\":\"client1\"", "\"client_id\":\"client2\"", StringComparison.Ordinal),
                    Token
                );
            if (fault == "manifest changed")
                await File.WriteAllTextAsync(
                    manifest,
                    text.Replace("\"snapshot_name\":\"", "\"snapshot_name\":\"x", StringComparison.Ordinal),
                    Token
                );
            if (fault is "manifest missing" or "both missing")
                File.Delete(manifest);
            if (fault is "object missing" or "both missing")
                File.Delete(path);
            if (fault == "object cut")
                await File.WriteAllBytesAsync(path, (await File.ReadAllBytesAsync(path, Token))[..^1], Token);
            if (fault == "byte flipped")
                await FlipAsync(path);
            if (fault == "orphan")
                await File.WriteAllTextAsync(
                    Path.Combine(Objects, "client1", "left_2026-01-01_00:00:00.zfs"),
                    "left",
                    Token
                );
            if (fault == "further object")
                await File.WriteAllTextAsync(path + ".0002", "left", Token);
            if (fault == "duplicate")
                await CopyAsync(path, text);
        }

        /// <summary>Runs <c>zfs-server catalogue … --json</c>.</summary>
        public async Task<JsonElement> RunJsonAsync(int exitCode, params string[] arguments)
        {
            var result = await Server.RunAsync(["catalogue", .. arguments, "--json"]);
            Assert.True(result.ExitCode == exitCode, result.Text);
            return exitCode is 0 or 7 ? CommandJson.Result(result.Output) : CommandJson.Parse(result.Output);
        }

        /// <summary>All files with their sizes and times.</summary>
        public IReadOnlyList<string> Files() =>
            [
                .. Directory
                    .GetFiles(Server.DataFolder, "*", SearchOption.AllDirectories)
                    .Select(path => $"{path} {new FileInfo(path).Length} {File.GetLastWriteTimeUtc(path):O}")
                    .Order(StringComparer.Ordinal),
            ];

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await Server.DisposeAsync();
        }

        private static async Task FlipAsync(string path)
        {
            var bytes = await File.ReadAllBytesAsync(path, Token);
            bytes[bytes.Length / 2] ^= 0x10;
            await File.WriteAllBytesAsync(path, bytes, Token);
        }

        /// <summary>The same backup under another key, as if it had been received later.</summary>
        private static async Task CopyAsync(string path, string manifest)
        {
            var (name, copy) = (
                Path.GetFileName(path),
                Path.GetFileName(path).Replace(".zfs", "~9.zfs", StringComparison.Ordinal)
            );
            File.Copy(path, path.Replace(name, copy, StringComparison.Ordinal));
            var later = JsonNode.Parse(manifest.Replace(name, copy, StringComparison.Ordinal))!;
            later["received_at"] = DateTimeOffset
                .Parse(later["received_at"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture)
                .AddDays(1);
            await File.WriteAllTextAsync(
                path.Replace(name, copy, StringComparison.Ordinal) + ".manifest.json",
                later.ToJsonString(),
                Token
            );
        }
    }
}
