using Amazon.S3.Model;
using Microsoft.Extensions.Logging.Abstractions;
using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Storage.S3;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>A separate store for one test, with access from outside.</summary>
internal abstract class OpenStore : IAsyncDisposable
{
    public abstract IObjectStore Store { get; }

    /// <summary>The same store as another process sees it, without the first one's state in memory.</summary>
    public abstract Task<IObjectStore> OpenAgainAsync();

    /// <summary>The number of objects that were begun and neither completed nor aborted.</summary>
    public abstract Task<int> CountUnfinishedAsync();

    /// <summary>Begins an object in the same place as another program would, and leaves it unfinished.</summary>
    public abstract Task BeginForeignAsync();

    /// <summary>Changes a bit of an object without the store.</summary>
    public abstract Task ChangeByteAsync(string key, int offset);

    public abstract ValueTask DisposeAsync();

    protected static byte[] Changed(byte[] content, int offset)
    {
        content[offset] ^= 1;
        return content;
    }
}

/// <summary>A store in a temporary directory.</summary>
internal sealed class OpenDirectory : OpenStore
{
    private readonly string _folder = Repository.NewFolder("contract");

    public OpenDirectory()
    {
        Store = new DirectoryStore(Settings());
        Store.Prepare();
    }

    public override IObjectStore Store { get; }

    public override Task<IObjectStore> OpenAgainAsync() =>
        Task.FromResult<IObjectStore>(new DirectoryStore(Settings()));

    public override Task<int> CountUnfinishedAsync() =>
        Task.FromResult(Directory.GetFiles(Path.Combine(_folder, "incoming")).Length);

    public override Task BeginForeignAsync() =>
        File.WriteAllTextAsync(Path.Combine(_folder, "incoming", "letter.txt"), "dear all");

    public override async Task ChangeByteAsync(string key, int offset)
    {
        var path = Path.Combine(_folder, "objects", key);
        await File.WriteAllBytesAsync(path, Changed(await File.ReadAllBytesAsync(path), offset));
    }

    public override ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private ServerSettings Settings() =>
        ServerSettings.Read(
            OpenBucket.ReaderOf(new Dictionary<string, string>(StringComparer.Ordinal) { ["DATA_DIR"] = _folder })
        );
}

/// <summary>A store in a new bucket, opened as the server opens it.</summary>
internal sealed class OpenBucket : OpenStore
{
    private readonly S3Server _server;
    private readonly List<S3Connection> _connections = [];
    private readonly Dictionary<string, string> _settings;
    private readonly string _folder = Repository.NewFolder("catalogue");
    private readonly BegunObjects _begun;
    private S3Store? _store;

    private OpenBucket(S3Server server, string bucket, Dictionary<string, string> settings)
    {
        (_server, Bucket, _settings) = (server, bucket, settings);
        var catalogue = new CatalogueDatabase(
            ServerSettings.Read(
                ReaderOf(new Dictionary<string, string>(StringComparer.Ordinal) { ["DATA_DIR"] = _folder })
            )
        );
        catalogue.Prepare();
        _begun = new BegunObjects(catalogue, TimeProvider.System);
    }

    public string Bucket { get; }

    public override IObjectStore Store => _store!;

    public S3Abilities Abilities => _store!.Abilities;

    /// <param name="bucket">Null: a new one.</param>
    /// <param name="more">Settings beside those that lead to the bucket; the smallest parts that S3 knows unless they
    /// say otherwise.</param>
    public static async Task<OpenBucket> OpenAsync(
        S3Server server,
        IReadOnlyDictionary<string, string>? more = null,
        string? bucket = null
    )
    {
        var name = bucket ?? await server.NewBucketAsync();
        var settings = server.Settings(name);
        settings["S3_PART_SIZE_MIB"] = "5";
        settings["S3_PREFIX"] = "some/place";
        foreach (var (key, value) in more ?? new Dictionary<string, string>(StringComparer.Ordinal))
            settings[key] = value;
        var opened = new OpenBucket(server, name, settings);
        opened._store = await opened.ConnectAsync();
        return opened;
    }

    /// <summary>An empty store without state.</summary>
    public static OpenBucket OpenUnprobed(Dictionary<string, string> settings)
    {
        var opened = new OpenBucket(null!, settings["S3_BUCKET"], settings);
        opened._store = opened.Connect();
        return opened;
    }

    public static SettingsReader ReaderOf(IReadOnlyDictionary<string, string> settings) =>
        new(settings.ToDictionary(pair => pair.Key, pair => new Setting(pair.Value, "test"), StringComparer.Ordinal));

    public override async Task<IObjectStore> OpenAgainAsync() => await ConnectAsync();

    public override Task<int> CountUnfinishedAsync() => _server.CountUnfinishedAsync(Bucket);

    /// <summary>As <c>aws s3 cp</c> does when it brings a lost object back, by a key that looks like ours.</summary>
    public override Task BeginForeignAsync() =>
        _server.Client.InitiateMultipartUploadAsync(Bucket, "some/place/web1/tank_old_2020-01-01_00:00:00.zfs.gz");

    public override async Task ChangeByteAsync(string key, int offset)
    {
        key = $"some/place/{key}";
        using var content = new MemoryStream();
        using (var found = await _server.Client.GetObjectAsync(Bucket, key))
            await found.ResponseStream.CopyToAsync(content);
        using var changed = new MemoryStream(Changed(content.ToArray(), offset));
        await _server.Client.PutObjectAsync(
            new PutObjectRequest
            {
                BucketName = Bucket,
                Key = key,
                InputStream = changed,
                UseChunkEncoding = false,
            }
        );
    }

    public override ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
            connection.Dispose();
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task<S3Store> ConnectAsync()
    {
        var store = Connect();
        store.Abilities = await new S3Probe(_connections[^1], TimeProvider.System).RunAsync(
            TestContext.Current.CancellationToken
        );
        return store;
    }

    private S3Store Connect()
    {
        var connection = new S3Connection(
            S3Settings.Read(ReaderOf(_settings))!,
            TimeProvider.System,
            NullLogger<S3Connection>.Instance
        );
        _connections.Add(connection);
        return new S3Store(connection, _begun, TimeProvider.System, NullLogger<S3Store>.Instance);
    }
}
