namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Forgets uploads that nobody came back for.</summary>
internal sealed partial class HourlyCleanUp(UploadRecovery recovery, TimeProvider time, ILogger<HourlyCleanUp> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false)) CleanUp();
    }

    private void CleanUp()
    {
        try
        {
            recovery.ForgetStale();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            LogFailed(e); // a busy catalogue now must not stop the server
        }
    }

    [LoggerMessage(LogLevel.Error, "The hourly clean-up failed; it is tried again in an hour")]
    private partial void LogFailed(Exception e);
}
