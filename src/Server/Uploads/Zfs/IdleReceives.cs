using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>Ends receives to which no more data arrive; ZFS keeps what they have.</summary>
internal sealed class IdleReceives(
    ZfsReceives receives,
    ZfsStreams streams,
    UploadSessions sessions,
    ServerSettings settings,
    TimeProvider time
) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pause =
            settings.UploadIdleTimeout < TimeSpan.FromSeconds(60)
                ? settings.UploadIdleTimeout
                : TimeSpan.FromSeconds(60);
        using var timer = new PeriodicTimer(pause, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            foreach (
                var upload in receives.IdleFor(settings.UploadIdleTimeout).Where(upload => !sessions.IsActive(upload))
            )
                await streams.EndAsync(upload);
        }
    }
}
