namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// Reads clients.json when it changes while requests run, so that one that takes days ends with its client's access.
/// Requests that begin read it by themselves.
/// </summary>
internal sealed class AccessWatch(ClientRegistry registry, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            registry.EndRefusedAccesses();
    }
}
