using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// What the server has of this client, asked once for all datasets of a run: a client may have tens of thousands of
/// backups.
/// </summary>
/// <param name="storageType">Where backups are to go; null: where the server has the client's.</param>
internal sealed class ServerLists(ApiClient server, string? storageType, TimeProvider time)
{
    /// <summary>After that much may have been rotated.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    private IReadOnlyList<UploadInfo>? _uploads;
    private IReadOnlyList<SnapshotInfo>? _backups;
    private long _asked;

    /// <summary>Whether the list of backups should be asked for again before it is relied on.</summary>
    public bool AreOld => _backups is null || time.GetElapsedTime(_asked) > Lifetime;

    public async Task<IReadOnlyList<UploadInfo>> GetUploadsAsync(CancellationToken cancellationToken) =>
        _uploads ??= await server.GetUploadsAsync(cancellationToken);

    public async Task<IReadOnlyList<SnapshotInfo>> GetBackupsAsync(CancellationToken cancellationToken)
    {
        if (!AreOld)
            return _backups!;
        _asked = time.GetTimestamp();
        return _backups = await server.GetSnapshotsAsync(storageType, cancellationToken);
    }

    /// <summary>The backups have changed.</summary>
    public void Forget() => _backups = null;
}
