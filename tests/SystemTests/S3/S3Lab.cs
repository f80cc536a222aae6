using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>A zfs-server that stores in a bucket of its own through a proxy that can inject any failure.</summary>
internal sealed class S3Lab : IAsyncDisposable
{
    /// <summary>Three parts of 5 MiB, the last one smaller.</summary>
    public const int ThreeParts = 88;

    /// <summary>For tests in which S3 hangs: how long the server waits for a sign of life.</summary>
    public static readonly (string Key, string Value) QuickToGiveUp = ("S3_IDLE_TIMEOUT", Patience.SecondsOf(2));

    private int _guid;

    private S3Lab(S3Server s3, string bucket, FaultProxy proxy, ServerProcess server, Uploader client) =>
        (S3, Bucket, Proxy, Server, Client) = (s3, bucket, proxy, server, client);

    public S3Server S3 { get; }

    public string Bucket { get; }

    public FaultProxy Proxy { get; }

    public ServerProcess Server { get; }

    public Uploader Client { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="endpoint">The address behind the proxy; null: that of the S3 server.</param>
    public static async Task<S3Lab> StartAsync(
        S3Server s3,
        IReadOnlyDictionary<string, string>? more = null,
        string? endpoint = null,
        string? bucket = null
    )
    {
        bucket ??= await s3.NewBucketAsync();
        var proxy = new FaultProxy(endpoint ?? s3.Endpoint);
        var settings = s3.Settings(bucket, proxy.Endpoint);
        settings["S3_PART_SIZE_MIB"] = "5";
        // A slow S3 is not one that hangs: requests are counted. Tests of what hangs set QuickToGiveUp.
        settings["S3_IDLE_TIMEOUT"] = Patience.SecondsOf(30);
        settings["S3_RETRY_TIME"] = "60";
        foreach (var (key, value) in more ?? new Dictionary<string, string>(StringComparer.Ordinal))
            settings[key] = value;
        var server = await ServerProcess.StartAsync(settings);
        return new S3Lab(s3, bucket, proxy, server, await Uploader.CreateAsync(server));
    }

    public Task<string> AnnounceAsync(string dataset) =>
        Client.AnnounceAsync(new JsonObject { ["dataset_name"] = dataset, ["compression"] = "none" });

    public async Task<Answer> UploadAsync(string dataset, int blocks = ThreeParts) =>
        await SendAsync(await AnnounceAsync(dataset), blocks);

    public Task<Answer> SendAsync(string uploadId, int blocks = ThreeParts) =>
        Client.SendAsync(
            uploadId,
            new GeneratedStream(blocks, (ulong)Interlocked.Increment(ref _guid), compress: false)
        );

    /// <summary>What GET /snapshots lists.</summary>
    public async Task<IReadOnlyList<JsonElement>> ListAsync() =>
        [.. (await Client.GetAsync("snapshots")).MustSucceed().Json.GetProperty("snapshots").EnumerateArray()];

    /// <summary>
    /// The bucket holds an object and a manifest for every backup that is listed, the server's name, and nothing else,
    /// finished or not.
    /// </summary>
    public async Task AssertHoldsWhatIsListedAsync(int count)
    {
        var listed = await ListAsync();
        Assert.Equal(count, listed.Count);
        var expected = listed
            .Select(backup => backup.GetProperty("storage_key").GetString()!)
            .SelectMany(key => (string[])[key, $"{key}.manifest.json"])
            .Append("zfs-server.json")
            .Order(StringComparer.Ordinal);
        Assert.Equal(expected, (await S3.ListAsync(Bucket)).Select(found => found.Key).Order(StringComparer.Ordinal));
        Assert.Equal(0, await S3.CountUnfinishedAsync(Bucket));
    }

    /// <summary>The real zfs-restore reads all of them and verifies every record.</summary>
    public async Task AssertVerifiesAsync() => (await Client.RestoreAsync("verify", "all")).MustSucceed();

    /// <returns>The bytes of a download whose length and digest are those that are listed.</returns>
    public async Task<byte[]> DownloadAsync(JsonElement backup)
    {
        var content = await Client.Http.GetByteArrayAsync(
            $"download?snapshot_id={Uri.EscapeDataString(backup.GetProperty("snapshot_id").GetString()!)}",
            Token
        );
        Assert.Equal(backup.GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(content)));
        return content;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        await Proxy.DisposeAsync();
    }
}
