using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>Delivers events while the server runs. Requests do not wait for the audit log.</summary>
internal sealed partial class EventPump(
    Outbox outbox,
    EventDelivery delivery,
    AuthenticationFailures failures,
    AuditLog audit,
    ILogger<EventPump> logger
) : BackgroundService
{
    /// <summary>How soon events of commands are delivered.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        Deliver(atEnd: true);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            Deliver(atEnd: false);
            await outbox.WaitAsync(Interval, stoppingToken);
        }
    }

    private void Deliver(bool atEnd)
    {
        try
        {
            audit.WriteFailures(failures.Take(atEnd));
            delivery.Run();
        }
        catch (SqliteException e)
        {
            LogUnread(e.Message); // the catalogue's own failure is reported where it matters; this is tried again
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            LogFailed(e); // no event is worth the server
        }
    }

    [LoggerMessage(LogLevel.Debug, "The events of the catalogue cannot be read: {Reason}")]
    private partial void LogUnread(string reason);

    [LoggerMessage(LogLevel.Error, "Events cannot be delivered to the audit log; this is tried again")]
    private partial void LogFailed(Exception e);
}
