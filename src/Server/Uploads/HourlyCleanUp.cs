namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Forgets uploads that nobody came back for.</summary>
internal sealed class HourlyCleanUp(UploadRecovery recovery, TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false)) recovery.ForgetStale();
    }
}
