using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Jobs;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Finishes what was interrupted of uploads, drops those that their clients left, and keeps the catalogue's reserve,
/// every hour.
/// </summary>
internal sealed class UploadCleanUpJob(
    UnsettledUploads unsettled,
    UploadCleanUp uploads,
    StoreFence fence,
    ClockCheck clock,
    CatalogueReserve reserve
) : IJobHandler
{
    public string Kind => JobKinds.CleanUp;

    public TimeSpan? Interval => TimeSpan.FromHours(1);

    /// <exception cref="Core.OperationException">The store does not answer or is another server's; or the clock may be
    /// wrong, and parts may be worth days of sending: nothing was dropped.</exception>
    public async Task RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        try
        {
            await unsettled.RecoverAsync(cancellationToken);
            await fence.DemandAsync(cancellationToken);
            await clock.DemandAsync(cancellationToken);
            await uploads.DropStaleAsync(cancellationToken);
        }
        finally
        {
            reserve.Keep();
        }
    }
}
