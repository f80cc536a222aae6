using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Uploads;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Finishes what an earlier run of the server left of uploads, while requests are answered already. A request does it
/// itself for the upload that it names.
/// </summary>
internal sealed partial class RecoveryAfterStart(
    UnsettledUploads unsettled,
    UploadCleanUp uploads,
    StoreFence fence,
    RecoveryProgress progress,
    IHostApplicationLifetime lifetime,
    ILogger<RecoveryAfterStart> logger
) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The port is opened first: a slow store must not keep clients waiting.
        using var started = CancellationTokenSource.CreateLinkedTokenSource(lifetime.ApplicationStarted, stoppingToken);
        await Task.Delay(Timeout.Infinite, started.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            await unsettled.RecoverAsync(stoppingToken);
            await fence.DemandAsync(stoppingToken);
            await uploads.RemoveOfEarlierRunsAsync(stoppingToken);
        }
        catch (Exception e) when (e is not OutOfMemoryException && !stoppingToken.IsCancellationRequested)
        {
            LogFailed(e); // an unreachable store must not stop the server
        }

        progress.End();
    }

    [LoggerMessage(LogLevel.Error, "What an earlier run left could not all be finished; the job clean-up tries again")]
    private partial void LogFailed(Exception e);
}
