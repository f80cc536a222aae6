using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>
/// Takes events out of the outbox and passes them to their subscribers: the audit log and the server's log. What a
/// crash interrupts is delivered again; the audit log has each event once.
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
                    append([.. batch.Select(entry => entry.Event)]);
                    foreach (var (_, e) in batch)
                        log.Write(e);
                    outbox.RemoveUpTo(batch[^1].Number);
                }
            });
    }
}
