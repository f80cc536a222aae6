using System.Diagnostics;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// A real S3 server on this machine's loopback, started once for all tests: Ceph's radosgw, or Swift as a weaker
/// provider.
/// </summary>
public abstract class S3Server(string provider) : IAsyncLifetime
{
    private readonly string _name = $"test-{provider}-{Environment.ProcessId}";
    private Dictionary<string, string> _environment = new(StringComparer.Ordinal);

    /// <summary>What <c>tools/s3-server env</c> says.</summary>
    internal string this[string name] => _environment[name];

    /// <summary>Host and port, plain HTTP.</summary>
    internal string Endpoint => this["S3_ENDPOINT"];

    /// <summary>The SDK as a user's own tool: tests prepare and look at buckets with it.</summary>
    internal AmazonS3Client Client { get; private set; } = null!;

    private static string Script => Path.Combine(Repository.Root, "tools", "s3-server");

    public async ValueTask InitializeAsync()
    {
        var started = (await Command.RunAsync(Script, ["start", provider, "--name", _name])).MustSucceed();
        _environment = started
            .Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('=', 2))
            .ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        Client = NewClient(Endpoint);
    }

    /// <summary>Also what did not start whole: its programs would run for ever.</summary>
    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        (await Command.RunAsync(Script, ["stop", "--name", _name])).MustSucceed();
        GC.SuppressFinalize(this);
    }

    /// <summary>A new bucket, as empty as new.</summary>
    internal async Task<string> NewBucketAsync(bool objectLock = false)
    {
        var name = $"bucket-{Guid.NewGuid().ToString("N")[..12]}";
        await Client.PutBucketAsync(
            new PutBucketRequest { BucketName = name, ObjectLockEnabledForBucket = objectLock }
        );
        return name;
    }

    /// <summary>Settings of a zfs-server that stores in a bucket here.</summary>
    /// <param name="endpoint">A proxy's or another gateway's address; null: this server's own.</param>
    internal Dictionary<string, string> Settings(string bucket, string? endpoint = null) =>
        new(StringComparer.Ordinal)
        {
            ["S3_ENABLED"] = "true",
            ["S3_ENDPOINT"] = endpoint ?? Endpoint,
            ["S3_USE_SSL"] = "false",
            ["S3_BUCKET"] = bucket,
            ["S3_ACCESS_KEY"] = this["S3_ACCESS_KEY"],
            ["S3_SECRET_KEY"] = this["S3_SECRET_KEY"],
        };

    internal AmazonS3Client NewClient(string endpoint) =>
        new(
            new BasicAWSCredentials(this["S3_ACCESS_KEY"], this["S3_SECRET_KEY"]),
            new AmazonS3Config
            {
                ServiceURL = $"http://{endpoint}",
                ForcePathStyle = true,
                AuthenticationRegion = "us-east-1",
                RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
                ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            }
        );

    /// <summary>All keys of a bucket with their sizes, in order.</summary>
    internal async Task<IReadOnlyList<(string Key, long Size)>> ListAsync(string bucket)
    {
        var pages = Client.Paginators.ListObjectsV2(new ListObjectsV2Request { BucketName = bucket });
        List<(string, long)> all = [];
        await foreach (var item in pages.S3Objects)
            all.Add((item.Key, item.Size ?? 0));
        return all;
    }

    /// <summary>How many multipart uploads are begun and neither completed nor aborted.</summary>
    internal async Task<int> CountUnfinishedAsync(string bucket) =>
        (await Client.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = bucket }))
            .MultipartUploads
            ?.Count
        ?? 0;

    /// <summary>One more gateway to the same data, which a test may stop, kill and start again. Radosgw only.</summary>
    internal Process StartGateway(int port) =>
        Command.Start(
            Script,
            ["gateway", "--name", _name, "--port", port.ToString(System.Globalization.CultureInfo.InvariantCulture)]
        );

    /// <summary>Runs radosgw-admin.</summary>
    internal async Task<string> AdminAsync(params string[] arguments) =>
        (await Command.RunAsync(Script, ["admin", "--name", _name, "--", .. arguments])).MustSucceed().Output;
}

public sealed class Radosgw() : S3Server("radosgw");

public sealed class Swift() : S3Server("swift");

/// <summary>Tests that share the S3 servers; they run one after another, beside those that need ZFS.</summary>
[CollectionDefinition("s3")]
public sealed class S3Tests : ICollectionFixture<Radosgw>, ICollectionFixture<Swift>;
