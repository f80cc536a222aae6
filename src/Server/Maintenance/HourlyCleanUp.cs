using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Rotation;
using ZfsSnapshotManager.Server.Uploads;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>Drops uploads that their clients abandoned, and deletes rotated backups.</summary>
internal sealed partial class HourlyCleanUp(
    UploadCleanUp uploads,
    ExpiredBackups expired,
    BackupRemoval removal,
    StoreFence fence,
    CatalogueReserve reserve,
    TimeProvider time,
    ILogger<HourlyCleanUp> logger
) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            await CleanUpAsync(stoppingToken);
    }

    private async Task CleanUpAsync(CancellationToken cancellationToken)
    {
        try
        {
            await fence.DemandAsync(cancellationToken); // what is in another server's store is not this one's to delete
            await uploads.DropStaleAsync(cancellationToken);
            await expired.DeleteAsync(cancellationToken);
            await removal.FinishAsync(cancellationToken);
            reserve.Keep();
        }
        catch (Exception e) when (e is not OutOfMemoryException && !cancellationToken.IsCancellationRequested)
        {
            LogFailed(e); // a busy catalogue or an unreachable store must not stop the server
        }
    }

    [LoggerMessage(LogLevel.Error, "The hourly clean-up failed; it runs again in an hour")]
    private partial void LogFailed(Exception e);
}
