using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>Where the bytes of a backup come from: the server, or a test.</summary>
/// <param name="offset">Of the first byte.</param>
/// <param name="length">How many; null: all from there on.</param>
/// <returns>Gives that many bytes, or fails with <see cref="Core.OperationException"/>.</returns>
internal delegate Task<Stream> OpenBytes(long offset, long? length, CancellationToken cancellationToken);

/// <summary>The server as the place where a backup's bytes come from.</summary>
internal sealed class BackupSource(ApiClient server, SnapshotInfo backup)
{
    public async Task<Stream> OpenAsync(long offset, long? length, CancellationToken cancellationToken) =>
        await WatchAsync(
            await server.DownloadAsync(backup, offset, length, cancellationToken),
            backup.SnapshotId,
            cancellationToken
        );

    /// <summary>Opens a stream that ZFS makes while it is read.</summary>
    /// <param name="token">Where it goes on; null: at its start.</param>
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
