using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Recovers all uploads when the server starts, and drops those that their clients abandoned.</summary>
internal sealed partial class UploadCleanUp(
    BackupStore store,
    UploadCatalogue uploads,
    PartCatalogue parts,
    UploadSessions sessions,
    UploadRecovery recovery,
    ServerSettings settings,
    TimeProvider time,
    ILogger<UploadCleanUp> logger
)
{
    /// <summary>An upload without parts that was not touched for this long is dropped: nothing is lost.</summary>
    private static readonly TimeSpan ExpiryWithoutParts = TimeSpan.FromHours(24);

    /// <summary>At start, before any request is accepted.</summary>
    public async Task RecoverAfterStartAsync(CancellationToken cancellationToken)
    {
        await RemoveIncompleteAsync(DateTimeOffset.MaxValue, cancellationToken);
        foreach (var upload in uploads.All())
            await recovery.TryRecoverAsync(upload, cancellationToken);
    }

    /// <summary>Every hour, unless the clock may be wrong.</summary>
    public async Task DropStaleAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var limit = now - ExpiryWithoutParts;
        foreach (var stale in uploads.UntouchedSince(limit))
        {
            // The uploads before it may have taken long: its client may be back, or may have ended it.
            using var session = sessions.TryBegin(stale.UploadId);
            if (session is null || uploads.Find(stale.ClientId, stale.UploadId) is not { } upload)
                continue;
            if (upload.TouchedAt >= limit)
                continue;
            if (recovery.HasContent(upload) && upload.TouchedAt > now - settings.UploadExpiry)
                continue;
            if (await recovery.TryRecoverAsync(upload, cancellationToken) != RecoveredUpload.Open)
                continue;
            await recovery.TryDropAsync(upload, cancellationToken);
        }

        await RemoveIncompleteAsync(limit, cancellationToken);
    }

    private async Task RemoveIncompleteAsync(DateTimeOffset begunBefore, CancellationToken cancellationToken)
    {
        var count = await store.Objects.RemoveIncompleteAsync(begunBefore, parts.AllTokens(), cancellationToken);
        if (count > 0)
            LogRemovedIncomplete(count);
    }

    [LoggerMessage(
        LogLevel.Warning,
        "Removed {Count} incomplete streams that no upload can resume; their clients send them again"
    )]
    private partial void LogRemovedIncomplete(int count);
}
