using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Storage;

/// <summary>A zfs-server on this machine with one kind of storage, and access to that storage from outside.</summary>
internal sealed class StorageLab : IAsyncDisposable
{
    private readonly Func<Task<string>> _look;
    private readonly Func<Task> _clear;

    private StorageLab(
        ServerProcess server,
        Uploader client,
        string place,
        Func<Task<string>> look,
        Func<Task> clear
    ) => (Server, Client, Place, _look, _clear) = (server, client, place, look, clear);

    public ServerProcess Server { get; }

    public Uploader Client { get; }

    /// <summary>The directory, the bucket or the dataset.</summary>
    public string Place { get; }

    public static async Task<StorageLab> InFolderAsync()
    {
        var server = await ServerProcess.StartAsync();
        return new StorageLab(
            server,
            await Uploader.CreateAsync(server),
            server.DataFolder,
            () => Task.FromResult(string.Join('\n', server.StoredFiles())),
            () => Task.CompletedTask
        );
    }

    public static async Task<StorageLab> InBucketAsync(S3Server s3)
    {
        var bucket = await s3.NewBucketAsync();
        var server = await ServerProcess.StartAsync(s3.Settings(bucket));
        return new StorageLab(
            server,
            await Uploader.CreateAsync(server),
            bucket,
            async () => string.Join('\n', [.. await s3.ListAsync(bucket), await s3.CountUnfinishedAsync(bucket)]),
            () => Task.CompletedTask
        );
    }

    /// <summary>In the ZFS of another machine, which the server reaches by ssh.</summary>
    public static async Task<StorageLab> InZfsAsync(ZfsHost host)
    {
        await host.StartAsync();
        var folder = Repository.NewFolder("ssh");
        var ssh = Path.Combine(folder, "ssh");
        await File.WriteAllTextAsync(ssh, host.SshScript);
        File.SetUnixFileMode(ssh, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var dataset = $"{host.Pool}/box{Guid.NewGuid().ToString("N")[..8]}";
        await host.OutputAsync($"zfs create -o mountpoint=none -o canmount=off {dataset}");
        var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["ZFS_BASE_DATASET"] = dataset,
                ["ZFS_SSH_HOST"] = host.SshHost,
                ["PATH"] = $"{folder}:{Environment.GetEnvironmentVariable("PATH")}",
                ["PART_SIZE_MIB"] = "1",
            }
        );
        return new StorageLab(
            server,
            await Uploader.CreateAsync(server, "client1", "--storage-type", "local"),
            dataset,
            () => host.OutputAsync($"zfs list -H -r -t all -o name,receive_resume_token {dataset}"),
            async () =>
            {
                await host.OutputAsync($"zfs destroy -R {dataset}");
                Directory.Delete(folder, recursive: true);
            }
        );
    }

    /// <summary>All that a refused upload must not change: what is stored and what is listed.</summary>
    public async Task<string> PictureAsync() =>
        $"{await _look()}\n{(await Client.GetAsync("snapshots")).MustSucceed().Text}";

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        await _clear();
    }
}
