using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Finishes in the background commits and removals of uploads that were interrupted and that no request works on.
/// </summary>
internal sealed class UnsettledUploads(
    UploadCatalogue uploads,
    UploadSessions sessions,
    UploadRecovery recovery,
    StoreFence fence,
    RecoveryProgress progress
)
{
    /// <remarks>
    /// Those in ZFS come first: they need no store. A failure that is one upload's does not stop the others; one of the
    /// whole store would only be repeated for each object, after all the time that its requests may take.
    /// </remarks>
    /// <exception cref="StorageException">The store does not answer, or is another server's.</exception>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        var all = uploads.ListUnsettled().OrderBy(upload => !upload.IsLocal).ToList();
        var left = all.Count;
        progress.Report(left);
        var isStoreAsked = false;
        foreach (var unsettled in all)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!unsettled.IsLocal && !isStoreAsked)
            {
                isStoreAsked = true;
                await fence.DemandAsync(cancellationToken);
            }

            if (await TrySettleAsync(unsettled, cancellationToken))
                progress.Report(--left);
        }
    }

    /// <returns>False if it is left for the next attempt.</returns>
    private async Task<bool> TrySettleAsync(UploadRecord unsettled, CancellationToken cancellationToken)
    {
        using var session = sessions.TryBegin(unsettled.UploadId);
        if (session is null)
            return true; // a request works on it
        return await recovery.TryRecoverAsync(unsettled, cancellationToken) != RecoveredUpload.Unclear;
    }
}
