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
    private long _fetchedAt;

    /// <summary>Who this run is.</summary>
    public ClientIdentity Identity => _identity ?? throw new InvalidOperationException("The server was not asked.");

    /// <summary>
    /// Asks the server for what decides about all datasets, and finds out who this run is, for which the server tells
    /// its id.
    /// </summary>
    public async Task FetchAsync(CancellationToken cancellationToken)
    {
        var machine = await settings.FindMachineAsync(cancellationToken);
        _uploads ??= await retry.RunAsync(server.GetUploadsAsync, cancellationToken);
        _identity = ClientIdentity.Of(settings.Server, _uploads.ServerId, machine) with { TakesOver = takesOver };
        await GetBackupsAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<UploadInfo>> GetUploadsAsync(CancellationToken cancellationToken)
    {
        _uploads ??= await retry.RunAsync(server.GetUploadsAsync, cancellationToken);
        return _uploads.Uploads;
    }

    /// <summary>
    /// The client's backups, and who this client is, for those that need neither the uploads nor the newest list.
    /// </summary>
    public async Task<(BackupIndex Backups, ClientIdentity Identity)> GetIndexAsync(CancellationToken cancellationToken)
    {
        var backups = _backups ?? await FetchBackupsAsync(cancellationToken);
        return (backups, Identity);
    }

    /// <summary>Those of the client's backups that decide what is done with a dataset.</summary>
    /// <param name="dataset">The dataset.</param>
    /// <param name="local">Its snapshots and bookmarks.</param>
    public async Task<IReadOnlyList<SnapshotInfo>> GetBackupsAsync(
        DatasetName dataset,
        IReadOnlyCollection<LocalSnapshot> local,
        CancellationToken cancellationToken
    ) => (await GetBackupsAsync(cancellationToken)).RelevantTo(dataset, local);

    /// <summary>Whether the server has a backup of a snapshot.</summary>
    public async Task<bool> HasAsync(SnapshotGuid snapshot, CancellationToken cancellationToken) =>
        (await GetBackupsAsync(cancellationToken)).Has(snapshot);

    /// <summary>Adds a backup that this run has made to the list.</summary>
    public void Add(SnapshotInfo backup) => _backups?.Add(backup);

    /// <summary>
    /// Discards the list of backups, because one may have been committed that this run knows nothing of.
    /// </summary>
    public void Invalidate() => _backups = null;

    private async Task<BackupIndex> GetBackupsAsync(CancellationToken cancellationToken)
    {
        if (_backups is not null && time.GetElapsedTime(_fetchedAt) <= Lifetime)
            return _backups;
        // Uploads before backups: one that is committed between the two questions appears in the second answer.
        await GetUploadsAsync(cancellationToken);
        return await FetchBackupsAsync(cancellationToken);
    }

    private async Task<BackupIndex> FetchBackupsAsync(CancellationToken cancellationToken)
    {
        var answer = await retry.RunAsync(
            token => server.GetSnapshotsAsync(settings.StorageType, token),
            cancellationToken
        );
        // Without marks of its own, it does not matter which machine this is.
        _identity ??= ClientIdentity.Of(settings.Server, answer.ServerId, Machine.Local);
        _backups = new BackupIndex(answer.Snapshots);
        _fetchedAt = time.GetTimestamp();
        return _backups;
    }
}
