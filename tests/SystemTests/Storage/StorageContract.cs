using System.IO.Compression;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Storage;

/// <summary>
/// What a server promises its clients in every kind of storage: by HTTP alone, with streams of a real ZFS.
/// </summary>
public abstract class StorageContract
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private protected abstract Task<StorageLab> StartAsync();

    [Fact]
    public async Task A_chain_is_accepted_returned_and_found_again_without_the_catalogue()
    {
        await using var lab = await StartAsync();
        string[] names = ["full", "incremental-1", "incremental-2"];
        foreach (var name in names)
            await StoreAsync(lab.Client, name);
        var listed = (await lab.Client.GetAsync("snapshots")).MustSucceed().Text;

        Assert.Equal(0, await lab.Server.StopAsync());
        File.Delete(Path.Combine(lab.Server.DataFolder, "metadata.db"));
        (await lab.Server.RunAsync("catalogue", "rebuild")).MustSucceed();
        (await lab.Server.RunAsync("catalogue", "check")).MustSucceed();
        await lab.Server.StartAgainAsync();

        Assert.Equal(listed, (await lab.Client.GetAsync("snapshots")).MustSucceed().Text);
        var backups = JsonDocument.Parse(listed).RootElement.GetProperty("snapshots").EnumerateArray().ToList();
        Assert.Equal(names.Select(name => Recorded.Get(name).Guid).Order(), backups.Select(GuidOf).Order());
        foreach (var backup in backups)
            Assert.Equal(GuidOf(backup), await DownloadedGuidAsync(lab.Client, backup));
        (await lab.Client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task An_invalid_stream_leaves_nothing_and_the_same_upload_then_accepts_the_valid_one()
    {
        await using var lab = await StartAsync();
        await StoreAsync(lab.Client, "volume"); // a backup exists that must be kept
        var (plain, gzip) = (Recorded.Plain("full"), Recorded.Gzip("full"));
        var records = Recorded.Boundaries(plain);
        (string Compression, byte[] Body, string Code)[] wrong =
        [
            ("none", Flipped(plain, records[100] + 16), "stream_damaged"),
            ("none", plain[..records[200]], "stream_damaged"),
            ("none", plain[..records[^2]], "stream_damaged"), // all but END
            ("none", [.. plain, .. plain], "stream_damaged"),
            ("none", Recorded.Plain("package"), "stream_is_package"),
            ("none", Recorded.Plain("incremental-1"), "base_missing"),
            ("gzip", gzip[..(gzip.Length / 2)], "compression_damaged"),
            ("gzip", [.. gzip, 0], "compression_damaged"),
        ];
        var before = await lab.PictureAsync();
        var uploads = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (compression, body, code) in wrong)
        {
            if (!uploads.TryGetValue(compression, out var upload))
                uploads[compression] = upload = await lab.Client.AnnounceAsync(
                    new JsonObject { ["dataset_name"] = $"tank/{compression}", ["compression"] = compression }
                );

            var answer = await lab.Client.SendAsync(upload, body);

            Assert.Equal(code, answer.Code);
            Assert.Equal(before, await lab.PictureAsync());
        }

        (await lab.Client.SendAsync(uploads["none"], plain)).MustSucceed();
        (await lab.Client.SendAsync(uploads["gzip"], gzip)).MustSucceed();
        (await lab.Client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task A_part_is_verified_before_it_is_kept_and_the_backup_before_it_is_listed()
    {
        await using var lab = await StartAsync();
        var cut = CutParts.Cut(Recorded.Plain("full"), int.MaxValue, new Random(1));
        var part = Assert.Single(cut.Parts);
        var upload = await lab.Client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/data", ["compression"] = "gzip" }
        );
        var before = await lab.PictureAsync();

        using var changed = part.Request(upload);
        changed.Content = new ByteArrayContent(Flipped(part.Stored, part.Stored.Length / 2));
        (await Answer.ReadAsync(await lab.Client.Http.SendAsync(changed, Token))).AssertRefused(
            HttpStatusCode.UnprocessableEntity,
            "part_damaged"
        );
        (
            await lab.Client.SendPartAsync(upload, part with { Stored = Flipped(part.Stored, part.Stored.Length - 1) })
        ).AssertRefused(HttpStatusCode.UnprocessableEntity, "compression_damaged");
        Assert.Equal(before, await lab.PictureAsync());

        (await lab.Client.SendPartAsync(upload, part)).MustSucceed();
        (await lab.Client.SendPartAsync(upload, part)).MustSucceed();
        (await lab.Client.CompleteAsync(upload, 2, cut.Stream.Length, cut.Digest)).AssertRefused(
            HttpStatusCode.Conflict,
            "parts_incomplete"
        );
        (await lab.Client.CompleteAsync(upload, 1, cut.Stream.Length, new string('0', 64))).AssertRefused(
            HttpStatusCode.Conflict,
            "parts_incomplete"
        );
        Assert.Empty(
            (await lab.Client.GetAsync("snapshots")).MustSucceed().Json.GetProperty("snapshots").EnumerateArray()
        );

        (await lab.Client.CompleteAsync(upload, cut)).MustSucceed();
        (await lab.Client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Fact]
    public async Task A_dropped_upload_leaves_nothing_and_a_backup_belongs_to_its_client_alone()
    {
        await using var lab = await StartAsync();
        await StoreAsync(lab.Client, "full");
        var before = await lab.PictureAsync();
        var upload = await lab.Client.AnnounceAsync(
            new JsonObject { ["dataset_name"] = "tank/large", ["compression"] = "none" }
        );
        var stream = Recorded.Plain("large-blocks");
        using var broken = await RawConnection.BeginUploadAsync(lab.Server, lab.Client, upload);
        await broken.SendChunkAsync(stream.AsMemory(0, stream.Length / 2));
        broken.Reset();

        (await lab.Client.DeleteAsync($"upload-stream/{upload}")).MustSucceed();

        Assert.Equal(before, await lab.PictureAsync());
        (await lab.Client.AskAsync(Recorded.Announce(Recorded.Get("full"), "gzip"))).AssertRefused(
            HttpStatusCode.Conflict,
            "snapshot_exists"
        );
        using var other = await Uploader.CreateAsync(lab.Server, "other");
        var id = (await lab.Client.GetAsync("snapshots"))
            .Json.GetProperty("snapshots")[0]
            .GetProperty("snapshot_id")
            .GetString()!;
        Assert.Empty((await other.GetAsync("snapshots")).MustSucceed().Json.GetProperty("snapshots").EnumerateArray());
        (await other.GetAsync($"download?snapshot_id={Uri.EscapeDataString(id)}")).AssertRefused(
            HttpStatusCode.NotFound,
            "not_found"
        );
        (await other.AskAsync(Recorded.Announce(Recorded.Get("incremental-1"), "none"))).AssertRefused(
            HttpStatusCode.Conflict,
            "base_missing"
        );
    }

    private static async Task StoreAsync(Uploader client, string name)
    {
        var upload = await client.AnnounceAsync(Recorded.Announce(Recorded.Get(name), "gzip"));
        (await client.SendAsync(upload, Recorded.Gzip(name))).MustSucceed();
    }

    private static byte[] Flipped(byte[] bytes, int at)
    {
        var flipped = (byte[])bytes.Clone();
        flipped[at] ^= 0x10;
        return flipped;
    }

    private static ulong GuidOf(JsonElement backup) =>
        ulong.Parse(
            backup.GetProperty("snapshot_guid").GetString()!,
            System.Globalization.CultureInfo.InvariantCulture
        );

    /// <summary>Of the snapshot that the downloaded stream holds; plain or compressed, as it is kept.</summary>
    private static async Task<ulong> DownloadedGuidAsync(Uploader client, JsonElement backup)
    {
        var stored = await client.Http.GetByteArrayAsync(
            $"download?snapshot_id={Uri.EscapeDataString(backup.GetProperty("snapshot_id").GetString()!)}",
            Token
        );
        using var plain =
            backup.GetProperty("compression").GetString() == "gzip"
                ? new GZipStream(new MemoryStream(stored), CompressionMode.Decompress)
                : (Stream)new MemoryStream(stored);
        using var reader = new SendStreamReader(plain);
        while (reader.ReadRecord())
        {
            // Each is verified during the transfer.
        }

        return reader.Parser.Begin!.SnapshotGuid;
    }
}
