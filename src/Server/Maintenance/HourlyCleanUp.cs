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
    ClockCheck clock,
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
        // What is in another server's store is not this one's to delete.
        if (await TryAsync(fence.DemandAsync, cancellationToken))
        {
            // Deletions first: they free space that the others may need.
            await TryAsync(expired.DeleteAsync, cancellationToken);
            await TryAsync(removal.FinishAsync, cancellationToken);
            await DropStaleUploadsAsync(cancellationToken);
        }

        reserve.Keep();
    }

    /// <summary>At the start, too. Not by a clock that may be wrong: the parts may be worth days of sending.</summary>
    public async Task DropStaleUploadsAsync(CancellationToken cancellationToken)
    {
        if (await TryAsync(clock.DemandAsync, cancellationToken))
            await TryAsync(uploads.DropStaleAsync, cancellationToken);
    }

    /// <summary>A step that fails does not keep the next ones from being done.</summary>
    private async Task<bool> TryAsync(Func<CancellationToken, Task> step, CancellationToken cancellationToken)
    {
        try
        {
            await step(cancellationToken);
            return true;
        }
        catch (Exception e) when (e is not OutOfMemoryException && !cancellationToken.IsCancellationRequested)
        {
            LogFailed(e); // a busy catalogue or an unreachable store must not stop the server
            return false;
        }
    }

    [LoggerMessage(LogLevel.Error, "A step of the clean-up failed; it runs again in an hour")]
    private partial void LogFailed(Exception e);
}
