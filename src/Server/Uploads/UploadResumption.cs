using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Uploads.Zfs;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Says how far an open upload came, and prepares it to be resumed there.</summary>
internal sealed class UploadResumption(
    UploadLookup lookup,
    UploadCatalogue uploads,
    PartCatalogue parts,
    UploadSessions sessions,
    ZfsUploads zfs,
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
    /// A client that announces an open upload again resumes at the first missing part. Parts after the gap are from a
    /// run that is over, and are dropped like requests that are still being received.
    /// </summary>
    /// <returns>The upload, and where it resumes; null if it starts from its beginning.</returns>
    public async Task<(UploadRecord Upload, UploadResume? Resume)> ResumeAsync(
        ClientEntry client,
        UploadRecord open,
        CancellationToken cancellationToken
    )
    {
        using var session = await sessions.TakeOverAsync(open.UploadId, cancellationToken);
        var upload = await lookup.FindRecoveredAsync(client, open.UploadId, cancellationToken);
        uploads.Touch(upload.UploadId, upload.LastError); // it is no longer stale
        if (upload.IsLocal)
            return (upload, await zfs.PrepareAsync(upload, cancellationToken));
        parts.RemoveFrom(upload.UploadId, (parts.FindEndOfRun(upload.UploadId)?.Number ?? 0) + 1);
        return (upload, FindInParts(upload.UploadId));
    }

    /// <returns>Null if nothing of the upload is kept.</returns>
    public async Task<UploadResume?> FindAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        if (upload.IsLocal)
            return await zfs.FindResumeAsync(upload, cancellationToken);
        return FindInParts(upload.UploadId);
    }

    private UploadResume? FindInParts(string uploadId)
    {
        if (parts.FindEndOfRun(uploadId) is not { } last)
            return null;
        if (!ParserState.TryParse(last.EndState, out var end))
            return null;
        return new UploadResume
        {
            NextPart = last.Number + 1,
            StoredBytes = last.StoredEnd,
            StreamBytes = end.StreamOffset,
            State = $"{last.EndState};{parts.FindBeginText(uploadId)}",
        };
    }
}
