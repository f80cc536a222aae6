using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>Opens a range of a backup's stored bytes: from the server, or in a test.</summary>
/// <param name="offset">Offset of the first byte.</param>
/// <param name="length">Number of bytes; null: all from the offset on.</param>
/// <returns>A stream of exactly these bytes; reading fails with <see cref="Core.OperationException"/>.</returns>
internal delegate Task<Stream> OpenBytes(long offset, long? length, CancellationToken cancellationToken);

/// <summary>Opens what the server has of a backup.</summary>
internal sealed class BackupSource(ApiClient server, SnapshotInfo backup)
{
    public async Task<Stream> OpenAsync(long offset, long? length, CancellationToken cancellationToken) =>
        await WatchAsync(
            await server.DownloadAsync(backup, offset, length, cancellationToken),
            backup.SnapshotId,
            cancellationToken
        );

    /// <summary>Opens a stream that the server's ZFS sends while it is read.</summary>
    /// <param name="token">Where it resumes; null: from its start.</param>
    public async Task<Stream> OpenLiveAsync(string? token, CancellationToken cancellationToken)
    {
        var response = await server.DownloadLiveAsync(backup, token, cancellationToken);
        return new ResponseBody(
            response,
            await response.Content.ReadAsStreamAsync(cancellationToken),
            backup.SnapshotId,
            ResponseBody.LiveIdle
        );
    }

    public async Task<Stream> OpenManifestAsync(CancellationToken cancellationToken) =>
        await WatchAsync(
            await server.OpenManifestAsync(backup, cancellationToken),
            $"the manifest of {backup.SnapshotId}",
            cancellationToken
        );

    private static async Task<Stream> WatchAsync(
        HttpResponseMessage response,
        string what,
        CancellationToken cancellationToken
    ) =>
        new ResponseBody(
            response,
            await response.Content.ReadAsStreamAsync(cancellationToken),
            what,
            ResponseBody.DefaultIdle
        );
}
