using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// The client's uploads and backups on the server, fetched once for all datasets of a run: a client may have tens of
/// thousands of backups. Not thread-safe.
/// </summary>
/// <param name="takesOver">Whether this machine replaces another one.</param>
/// <param name="retry">For a server that is away when the run begins.</param>
internal sealed class ServerInventory(
    ApiClient server,
    ClientSettings settings,
    bool takesOver,
    RetryPolicy retry,
    TimeProvider time
)
{
    /// <summary>After this time, backups may have been rotated away.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    private UploadsAnswer? _uploads;
    private BackupIndex? _backups;
    private ClientIdentity? _identity;
    private long _asked;

    /// <summary>Who this run is.</summary>
    public ClientIdentity Identity =>
        _identity ?? throw new InvalidOperationException($"{nameof(FetchAsync)} was not called.");

    /// <summary>
    /// Asks the server for what decides about all datasets, and finds out who this run is, for which the server tells
    /// its id.
    /// </summary>
    public async Task FetchAsync(CancellationToken cancellationToken)
    {
        var machine = await settings.FindMachineAsync(cancellationToken);
        _uploads ??= await retry.RunAsync(server.GetUploadsAsync, cancellationToken);
        _identity = ClientIdentity.Of(settings.Server, _uploads.ServerId, machine) with { TakesOver = takesOver };
        await GetBackupsAsync(Lifetime, cancellationToken);
    }

    public async Task<IReadOnlyList<UploadInfo>> GetUploadsAsync(CancellationToken cancellationToken)
    {
        _uploads ??= await retry.RunAsync(server.GetUploadsAsync, cancellationToken);
        return _uploads.Uploads;
    }

    /// <summary>Those of the client's backups that decide what is done with a dataset.</summary>
    /// <param name="dataset">The dataset.</param>
    /// <param name="local">Its snapshots and bookmarks.</param>
    public async Task<IReadOnlyList<SnapshotInfo>> GetBackupsAsync(
        DatasetName dataset,
        IReadOnlyCollection<LocalSnapshot> local,
        CancellationToken cancellationToken
    ) => (await GetBackupsAsync(Lifetime, cancellationToken)).RelevantTo(dataset, local);

    /// <summary>Whether the server has a backup of a snapshot, by a list that is not older than some seconds.</summary>
    public async Task<bool> HasAsync(SnapshotGuid snapshot, CancellationToken cancellationToken) =>
        (await GetBackupsAsync(TimeSpan.FromSeconds(10), cancellationToken)).Has(snapshot);

    /// <summary>Discards the list of backups, because they have changed.</summary>
    public void Invalidate() => _backups = null;

    private async Task<BackupIndex> GetBackupsAsync(TimeSpan lifetime, CancellationToken cancellationToken)
    {
        if (_backups is not null && time.GetElapsedTime(_asked) <= lifetime)
            return _backups;
        // Uploads before backups: one that is committed between the two questions appears in the second answer.
        await GetUploadsAsync(cancellationToken);
        _asked = time.GetTimestamp();
        var answer = await retry.RunAsync(
            token => server.GetSnapshotsAsync(settings.StorageType, token),
            cancellationToken
        );
        _backups = new BackupIndex(answer.Snapshots);
        return _backups;
    }
}
