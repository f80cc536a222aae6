using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// <c>zfs-restore verify</c> and <c>save</c> on objects that the server's disk has kept, changed or lost.
/// </summary>
public sealed class StoredBackupTests(SharedServer server) : IClassFixture<SharedServer>
{
    /// <summary>What can happen to an object on disk.</summary>
    private static readonly Dictionary<string, Action<string>> Damages = new(StringComparer.Ordinal)
    {
        ["a flipped bit at its start"] = path => Flip(path, 30),
        ["a flipped bit in its middle"] = path => Flip(path, new FileInfo(path).Length / 2),
        ["a flipped bit at its end"] = path => Flip(path, new FileInfo(path).Length - 3),
        ["a time stamp of gzip changed"] = path => Flip(path, 5),
        ["its last byte gone"] = path => Cut(path, new FileInfo(path).Length - 1),
        ["its second half gone"] = path => Cut(path, new FileInfo(path).Length / 2),
        ["nothing left of it"] = path => Cut(path, 0),
        ["a byte more"] = path => File.AppendAllText(path, "x"),
        ["zeros in its middle"] = path => Overwrite(path, new FileInfo(path).Length / 2, new byte[4096]),
        ["the whole file gone"] = File.Delete,
    };

    public static TheoryData<string> DamageNames => [.. Damages.Keys];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(DamageNames))]
    public async Task A_damaged_object_is_named_and_the_others_are_still_whole(string damage)
    {
        using var client = await server.NewClientAsync();
        var whole = await client.StoreAsync(Recorded.Gzip("empty"), "tank/a", "gzip");
        var damaged = await client.StoreAsync(Recorded.Gzip("full"), "tank/b", "gzip");
        var incremental = await client.StoreAsync(Recorded.Gzip("incremental-1"), "tank/b", "gzip");
        (await client.RestoreAsync("verify")).MustSucceed();

        Damages[damage](client.ObjectOf(damaged));

        var all = await client.RestoreAsync("verify", "all");
        Assert.Equal(7, all.ExitCode);
        Assert.Matches($"{IdOf(damaged)}: DAMAGED: .", all.Output);
        foreach (var other in (Answer[])[whole, incremental])
            Assert.Matches($"{IdOf(other)}: ok, [0-9]+ records", all.Output);
        Assert.Contains("2 of 3 are complete and valid, 1 damaged", all.Output, StringComparison.Ordinal);

        var results = await client.RestoreAsync("verify", "all", "--json");
        Assert.Equal(7, results.ExitCode);
        Assert.Equal(
            [IdOf(damaged)],
            CommandJson
                .Results(results.Output)
                .Where(r => !r.GetProperty("ok").GetBoolean())
                .Select(r => r.GetProperty("snapshot_id").GetString())
        );

        var number = await NumberOfAsync(client, damaged);
        Assert.Equal(7, (await client.RestoreAsync("verify", number)).ExitCode);
        Assert.Equal(0, (await client.RestoreAsync("verify", await NumberOfAsync(client, whole))).ExitCode);

        var save = await client.RestoreAsync("save", number, "saved.zfs.gz");
        Assert.Equal(7, save.ExitCode);
        Assert.Contains(IdOf(damaged), save.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(client.Folder));
    }

    [Fact]
    public async Task Two_objects_of_one_size_that_changed_places_are_both_found()
    {
        using var client = await server.NewClientAsync();
        var (first, second) = (await client.StoreAsync(Synthetic(7)), await client.StoreAsync(Synthetic(8)));
        (await client.RestoreAsync("verify", "all")).MustSucceed();

        var aside = client.ObjectOf(first) + ".aside";
        File.Move(client.ObjectOf(first), aside);
        File.Move(client.ObjectOf(second), client.ObjectOf(first));
        File.Move(aside, client.ObjectOf(second));

        var all = await client.RestoreAsync("verify", "all");
        Assert.Equal(7, all.ExitCode);
        foreach (var stored in (Answer[])[first, second])
            Assert.Matches($"{IdOf(stored)}: DAMAGED: .*are not those that were stored", all.Output);
    }

    [Fact]
    public async Task Another_right_stream_of_the_same_snapshot_is_not_the_stored_one()
    {
        using var client = await server.NewClientAsync();
        var stored = await client.StoreAsync(Synthetic(7, seed: 1));

        await File.WriteAllBytesAsync(client.ObjectOf(stored), Synthetic(7, seed: 2), Token);

        var verify = await client.RestoreAsync("verify", "1");
        Assert.Equal(7, verify.ExitCode);
        Assert.Contains("are not those that were stored", verify.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lost")]
    [InlineData("cut")]
    [InlineData("empty")]
    [InlineData("of a later version")]
    [InlineData("with a digest that is none")]
    [InlineData("another backup's")]
    public async Task A_backup_whose_manifest_is_of_no_use_can_be_read_as_long_as_its_object_is_whole(string manifest)
    {
        using var client = await server.NewClientAsync();
        var other = await client.StoreAsync(Recorded.Gzip("full"), "tank/other", "gzip");
        var stored = await client.StoreAsync(Recorded.Gzip("empty"), "tank/a", "gzip");
        var path = client.ObjectOf(stored) + ".manifest.json";
        var text = await File.ReadAllTextAsync(path, Token);
        File.Delete(path);
        var digest = text.LastIndexOf("\"sha256\":\"", StringComparison.Ordinal) + 10; // of its only part
        var harmed = manifest switch
        {
            "cut" => text[..(text.Length / 2)],
            "empty" => "",
            "of a later version" => text.Replace(
                "\"format_version\":2",
                "\"format_version\":3",
                StringComparison.Ordinal
            ),
            "with a digest that is none" => string.Concat(text.AsSpan(0, digest), "none", text.AsSpan(digest + 64)),
            _ => await File.ReadAllTextAsync(client.ObjectOf(other) + ".manifest.json", Token),
        };
        if (manifest != "lost")
            await File.WriteAllTextAsync(path, harmed, Token);

        (await client.RestoreAsync("verify", await NumberOfAsync(client, stored))).MustSucceed();
        (await client.RestoreAsync("save", await NumberOfAsync(client, stored), "saved")).MustSucceed();
        Assert.Equal(Recorded.Gzip("empty"), await File.ReadAllBytesAsync(Path.Combine(client.Folder, "saved"), Token));

        Flip(client.ObjectOf(stored), 2000);
        Assert.Equal(7, (await client.RestoreAsync("verify", await NumberOfAsync(client, stored))).ExitCode);
    }

    [Fact]
    public async Task A_backup_is_saved_as_it_is_stored()
    {
        using var client = await server.NewClientAsync();
        await client.StoreAsync(Recorded.Gzip("full"), "tank/a", "gzip");
        await client.StoreAsync(Recorded.Plain("incremental-1"), "tank/a");

        var full = await client.RestoreAsync("save", "2", "full.zfs.gz");
        var incremental = await client.RestoreAsync("save", "1", "incremental.zfs", "--json");

        Assert.Contains("every record verified", full.MustSucceed().Output, StringComparison.Ordinal);
        Assert.Equal(
            Recorded.Gzip("full"),
            await File.ReadAllBytesAsync(Path.Combine(client.Folder, "full.zfs.gz"), Token)
        );
        var result = CommandJson.Result(incremental.MustSucceed().Output);
        Assert.Equal(Path.Combine(client.Folder, "incremental.zfs"), result.GetProperty("file").GetString());
        Assert.EndsWith(
            "tank_a",
            string.Join(
                '_',
                Assert.Single(result.GetProperty("needs").EnumerateArray()).GetString()!.Split('/')[1].Split('_')[..2]
            ),
            StringComparison.Ordinal
        );
        Assert.Equal(
            Recorded.Plain("incremental-1"),
            await File.ReadAllBytesAsync(Path.Combine(client.Folder, "incremental.zfs"), Token)
        );
        Assert.Equal(2, Directory.GetFiles(client.Folder).Length);
    }

    [Fact]
    public async Task Save_replaces_a_file_only_with_force_and_only_by_a_whole_one()
    {
        using var client = await server.NewClientAsync();
        var stored = await client.StoreAsync(Recorded.Gzip("empty"), "tank/a", "gzip");
        var path = Path.Combine(client.Folder, "saved");
        await File.WriteAllTextAsync(path, "precious", Token);

        var refused = await client.RestoreAsync("save", "1", "saved");
        Assert.Equal(9, refused.ExitCode);
        Assert.Contains("--force", refused.Error, StringComparison.Ordinal);
        Assert.Equal("precious", await File.ReadAllTextAsync(path, Token));

        Flip(client.ObjectOf(stored), 2000);
        Assert.Equal(7, (await client.RestoreAsync("save", "1", "saved", "--force")).ExitCode);
        Assert.Equal("precious", await File.ReadAllTextAsync(path, Token));

        Flip(client.ObjectOf(stored), 2000);
        (await client.RestoreAsync("save", "1", "saved", "-f")).MustSucceed();
        Assert.Equal(Recorded.Gzip("empty"), await File.ReadAllBytesAsync(path, Token));
        Assert.Equal([path], Directory.GetFiles(client.Folder));
    }

    [Fact]
    public async Task Save_into_a_folder_that_is_not_there_says_so()
    {
        using var client = await server.NewClientAsync();
        await client.StoreAsync(Recorded.Gzip("empty"), "tank/a", "gzip");

        var missing = await client.RestoreAsync("save", "1", "no/such/folder/file");
        Assert.Equal(1, missing.ExitCode);
        Assert.Contains("no/such/folder/file cannot be written", missing.Error, StringComparison.Ordinal);
        Assert.Equal(9, (await client.RestoreAsync("save", "1", ".")).ExitCode);
    }

    /// <summary>A stream whose length is always the same.</summary>
    private static byte[] Synthetic(ulong guid, int seed = 1) =>
        new StreamBuilder()
            .Begin(guid)
            .Object(1, bonus: [])
            .Write(1, 0, StreamBuilder.Noise(512, seed))
            .End()
            .ToArray();

    private static string IdOf(Answer stored) =>
        stored.Json.GetProperty("snapshot").GetProperty("snapshot_id").GetString()!;

    private static async Task<string> NumberOfAsync(Uploader client, Answer stored)
    {
        var list = CommandJson
            .Results((await client.RestoreAsync("list", "--json")).MustSucceed().Output)
            .Select(b => b.GetProperty("snapshot_id").GetString())
            .ToList();
        return $"{list.IndexOf(IdOf(stored)) + 1}";
    }

    private static void Flip(string path, long at)
    {
        using var file = File.Open(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = at;
        var value = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(value ^ 0x10));
    }

    private static void Overwrite(string path, long at, byte[] bytes)
    {
        using var file = File.OpenWrite(path);
        file.Position = at;
        file.Write(bytes);
    }

    private static void Cut(string path, long length)
    {
        using var file = File.OpenWrite(path);
        file.SetLength(length);
    }
}
