using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Says how far an open upload came, and prepares it to be resumed there.</summary>
internal sealed class UploadResumption(
    UploadLookup lookup,
    UploadSessions sessions,
    UploadBackends backends,
    ServerSettings settings,
    TimeProvider time
)
{
    /// <summary>
    /// Whether bytes of it arrive now, or did as late as an upload may pause: its client is still at work.
    /// </summary>
    public bool IsActive(UploadRecord upload) =>
        sessions.IsActive(upload.UploadId) || time.GetUtcNow() - upload.TouchedAt < settings.UploadIdleTimeout;

    /// <summary>
    /// A client that announces an open upload again resumes at the first missing part. Requests that
    /// are still being received end.
    /// </summary>
    /// <returns>The upload, and where it resumes; null if it starts from its beginning.</returns>
    public async Task<(UploadRecord Upload, UploadResume? Resume)> ResumeAsync(
        ClientEntry client,
        UploadRecord open,
        CancellationToken cancellationToken
    )
    {
        using var session = await sessions.TakeOverAsync(open.UploadId, cancellationToken);
        var upload = await lookup.TakeOverAsync(client, open.UploadId, cancellationToken);
        return (upload, await backends.Of(upload).PrepareAsync(upload, cancellationToken));
    }

    /// <returns>Null if nothing of the upload is kept.</returns>
    public Task<UploadResume?> FindAsync(UploadRecord upload, CancellationToken cancellationToken) =>
        backends.Of(upload).FindResumeAsync(upload, cancellationToken);
}
