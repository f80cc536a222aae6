using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>
/// Takes events out of the outbox and passes them to their subscribers: the audit log and the server's log. What a
/// crash interrupts is delivered again; the audit log has each event once. One that cannot be read stops no other.
/// </summary>
internal sealed class EventDelivery(Outbox outbox, AuditLog audit, EventLog log)
{
    private const int BatchSize = 256;

    public void Run()
    {
        if (outbox.List(1).Count > 0)
            audit.Exclusively(append =>
            {
                while (outbox.List(BatchSize) is { Count: > 0 } batch)
                {
                    List<ServerEvent> events = [.. batch.Select(entry => entry.Event).OfType<ServerEvent>()];
                    if (events.Count > 0)
                        append(events);
                    foreach (var (number, e) in batch)
                    {
                        if (e is null)
                            log.WriteUnreadable(number);
                        else
                            log.Write(e);
                    }

                    outbox.RemoveUpTo(batch[^1].Number);
                }
            });
    }
}
