using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Drops uploads that their clients left, and what no upload can resume.</summary>
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

    /// <summary>What the store has not completed since before this belongs to an earlier run.</summary>
    private readonly DateTimeOffset _startedAt = time.GetUtcNow();

    /// <summary>After the start: removes what earlier runs began to store and no upload can resume.</summary>
    public Task RemoveOfEarlierRunsAsync(CancellationToken cancellationToken) =>
        RemoveIncompleteAsync(_startedAt, cancellationToken);

    /// <summary>Every hour, unless the clock may be wrong.</summary>
    public async Task DropStaleAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var limit = now - ExpiryWithoutParts;
        // Those in ZFS first: they need no store.
        foreach (var stale in uploads.UntouchedSince(limit).OrderBy(upload => !upload.IsLocal))
        {
            // The uploads before it may have taken long: its client may be back, or may have ended it.
            using var session = sessions.TryBegin(stale.UploadId);
            if (session is null || uploads.Find(stale.ClientId, stale.UploadId) is not { } known)
                continue;
            if (known.TouchedAt >= limit)
                continue;
            if (recovery.HasContent(known) && known.TouchedAt > now - settings.UploadExpiry)
                continue;
            if (await recovery.TryRecoverAsync(known, cancellationToken) != RecoveredUpload.Open)
                continue;
            if (uploads.Find(stale.ClientId, stale.UploadId) is { } recovered) // it may have got another key
                await recovery.DropAsync(recovered, cancellationToken);
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
