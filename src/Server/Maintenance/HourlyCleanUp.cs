using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Rotation;
using ZfsSnapshotManager.Server.Uploads;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>Forgets uploads that nobody came back for, and deletes what was rotated.</summary>
internal sealed partial class HourlyCleanUp(
    UploadRecovery recovery,
    RotationRun rotation,
    BackupRemoval removal,
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
            await recovery.ForgetStaleAsync(cancellationToken);
            await rotation.DeleteExpiredAsync();
            await removal.FinishAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OutOfMemoryException && !cancellationToken.IsCancellationRequested)
        {
            LogFailed(e); // a busy catalogue or a store that is away now must not stop the server
        }
    }

    [LoggerMessage(LogLevel.Error, "The hourly clean-up failed; it is tried again in an hour")]
    private partial void LogFailed(Exception e);
}
