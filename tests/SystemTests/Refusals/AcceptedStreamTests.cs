using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Refusals;

/// <summary>Valid streams are accepted in every form and returned byte for byte.</summary>
public sealed class AcceptedStreamTests(SharedServer server) : IClassFixture<SharedServer>
{
    /// <summary>Continuations and clones restore nothing by themselves, and packages hold several streams.</summary>
    private static readonly IReadOnlyList<RecordedStream> Acceptable =
    [
        .. RecordedStream.Whole.Where(stream =>
            stream.Kind != "package" && !stream.IsResumed && stream.File != "clone.zfs.gz"
        ),
    ];

    public static TheoryData<string> FullStreams =>
        [.. Acceptable.Where(stream => stream.BaseGuid is null).Select(NameOf)];

    public static TheoryData<string> IncrementalStreams =>
        [.. Acceptable.Where(stream => stream.BaseGuid is not null).Select(NameOf)];

    [Theory]
    [MemberData(nameof(FullStreams))]
    public async Task A_full_stream_of_a_real_ZFS_is_accepted_listed_and_returned(string name)
    {
        using var client = await server.NewClientAsync();
        await AssertTakenAsync(client, name);
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Theory]
    [MemberData(nameof(IncrementalStreams))]
    public async Task An_incremental_stream_of_a_real_ZFS_is_accepted_after_its_base(string name)
    {
        using var client = await server.NewClientAsync();
        foreach (var member in ChainOf(Recorded.Get(name)))
            await AssertTakenAsync(client, NameOf(member));
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("-6")]
    [InlineData("-9")]
    public async Task The_output_of_gzip_is_accepted(string level)
    {
        using var client = await server.NewClientAsync();
        await AssertStoredAsync(
            client,
            await GzipFile.CompressWithToolAsync(Recorded.Plain("full"), client.Folder, level),
            "gzip"
        );
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(128 * 1024)]
    [InlineData(1024 * 1024)]
    public async Task A_gzip_file_of_several_members_is_accepted(int memberSize)
    {
        using var client = await server.NewClientAsync();
        await AssertStoredAsync(client, GzipFile.CompressInMembers(Recorded.Plain("large-blocks"), memberSize), "gzip");
    }

    [Fact]
    public async Task An_empty_member_at_the_end_changes_nothing()
    {
        using var client = await server.NewClientAsync();
        await AssertStoredAsync(client, [.. Recorded.Gzip("full"), .. GzipFile.Compress([])], "gzip");
    }

    [Fact]
    public async Task A_gzip_file_that_exactly_fills_the_server_s_buffers_is_accepted()
    {
        using var client = await server.NewClientAsync();
        await AssertStoredAsync(client, GzipFile.CompressToMultipleOf(256 * 1024, Recorded.Plain("full")), "gzip");
    }

    [Fact]
    public async Task A_plain_stream_is_accepted()
    {
        using var client = await server.NewClientAsync();
        await AssertStoredAsync(client, Recorded.Plain("large-blocks"), "none");
    }

    [Fact]
    public async Task A_stream_with_a_record_of_every_usual_type_is_accepted()
    {
        using var client = await server.NewClientAsync();
        await AssertStoredAsync(client, StreamBuilder.Small().ToArray(), "none");
    }

    private static string NameOf(RecordedStream stream) => stream.File[..^".zfs.gz".Length];

    /// <summary>The stream and the chain it depends on, the full one first.</summary>
    private static IEnumerable<RecordedStream> ChainOf(RecordedStream stream)
    {
        if (stream.BaseGuid is not { } guid)
            return [stream];
        var compatible = Acceptable.Where(other =>
            other.Guid == guid && Recorded.IsRaw(other) == Recorded.IsRaw(stream) && NameOf(other) != "redacted"
        );
        return [.. ChainOf(compatible.First()), stream];
    }

    private static async Task AssertTakenAsync(Uploader client, string name)
    {
        var (stream, stored) = (Recorded.Get(name), Recorded.Gzip(name));
        var upload = await client.AnnounceAsync(Recorded.Announce(stream, "gzip"));
        (await client.SendAsync(upload, stored)).MustSucceed();

        var listed = (await client.GetAsync("snapshots"))
            .Json.GetProperty("snapshots")
            .EnumerateArray()
            .Single(s => s.GetProperty("snapshot_guid").GetString() == $"{stream.Guid}");
        Assert.Equal(stream.Snapshot, $"{Text(listed, "dataset_name")}@{Text(listed, "snapshot_name")}");
        Assert.Equal(stream.BaseGuid?.ToString(), Text(listed, "from_guid"));
        Assert.Equal(stream.Type, Text(listed, "dataset_type"));
        Assert.Equal(Recorded.CreatedAt(stream), listed.GetProperty("timestamp").GetDateTimeOffset());
        Assert.Equal(stored.Length, listed.GetProperty("size_bytes").GetInt64());
        Assert.Equal(stream.Length, listed.GetProperty("stream_bytes").GetInt64());
        Assert.Equal(Recorded.IsRaw(stream), listed.GetProperty("raw").GetBoolean());
        Assert.Equal(stored, await DownloadAsync(client, Text(listed, "snapshot_id")!));
    }

    private static async Task AssertStoredAsync(Uploader client, byte[] body, string compression)
    {
        var stored = await client.StoreAsync(body, compression: compression);
        Assert.Equal(body, await DownloadAsync(client, Text(stored.Json.GetProperty("snapshot"), "snapshot_id")!));
        (await client.RestoreAsync("verify", "all")).MustSucceed();
    }

    private static Task<byte[]> DownloadAsync(Uploader client, string id) =>
        client.Http.GetByteArrayAsync(
            $"download?snapshot_id={Uri.EscapeDataString(id)}",
            TestContext.Current.CancellationToken
        );

    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) ? value.GetString() : null;
}
