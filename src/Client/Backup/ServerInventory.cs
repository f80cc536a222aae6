using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Api;

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
    private IReadOnlyList<SnapshotInfo>? _backups;
    private ClientIdentity? _identity;
    private long _asked;

    /// <summary>Who this run is.</summary>
    public ClientIdentity Identity =>
        _identity ?? throw new InvalidOperationException($"{nameof(IdentifyAsync)} was not called.");

    /// <summary>Whether the list of backups must be fetched again before it is relied on.</summary>
    public bool IsStale => _backups is null || time.GetElapsedTime(_asked) > Lifetime;

    public async Task<IReadOnlyList<UploadInfo>> GetUploadsAsync(CancellationToken cancellationToken)
    {
        _uploads ??= await retry.RunAsync(server.GetUploadsAsync, cancellationToken);
        return _uploads.Uploads;
    }

    /// <summary>Finds out who this run is, for which the server is asked for its id.</summary>
    public async Task IdentifyAsync(CancellationToken cancellationToken)
    {
        var machine = await settings.FindMachineAsync(cancellationToken);
        _uploads ??= await retry.RunAsync(server.GetUploadsAsync, cancellationToken);
        _identity = ClientIdentity.Of(settings.Server, _uploads.ServerId, machine) with { TakesOver = takesOver };
    }

    public async Task<IReadOnlyList<SnapshotInfo>> GetBackupsAsync(CancellationToken cancellationToken)
    {
        if (!IsStale)
            return _backups!;
        _asked = time.GetTimestamp();
        var answer = await retry.RunAsync(
            token => server.GetSnapshotsAsync(settings.StorageType, token),
            cancellationToken
        );
        _backups = answer.Snapshots;
        return _backups;
    }

    /// <summary>Discards the list of backups, because they have changed.</summary>
    public void Invalidate() => _backups = null;
}
