using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// The client's uploads and backups on the server, fetched once for all datasets of a run: a client may have tens of
/// thousands of backups. Not thread-safe.
/// </summary>
/// <param name="storageType">Where backups are stored; null: the server's choice for the client.</param>
internal sealed class ServerInventory(ApiClient server, string? storageType, TimeProvider time)
{
    /// <summary>After this time, backups may have been rotated away.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    private IReadOnlyList<UploadInfo>? _uploads;
    private IReadOnlyList<SnapshotInfo>? _backups;
    private long _asked;

    /// <summary>Whether the list of backups must be fetched again before it is relied on.</summary>
    public bool IsStale => _backups is null || time.GetElapsedTime(_asked) > Lifetime;

    public async Task<IReadOnlyList<UploadInfo>> GetUploadsAsync(CancellationToken cancellationToken)
    {
        _uploads ??= await server.GetUploadsAsync(cancellationToken);
        return _uploads;
    }

    public async Task<IReadOnlyList<SnapshotInfo>> GetBackupsAsync(CancellationToken cancellationToken)
    {
        if (!IsStale)
            return _backups!;
        _asked = time.GetTimestamp();
        _backups = await server.GetSnapshotsAsync(storageType, cancellationToken);
        return _backups;
    }

    /// <summary>Discards the list of backups, because they have changed.</summary>
    public void Invalidate() => _backups = null;
}
