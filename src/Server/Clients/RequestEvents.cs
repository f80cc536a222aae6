using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// Events of requests that change nothing, such as downloads. A client repeats them as often as it likes, range by
/// range, so the same is one event an hour.
/// </summary>
internal sealed partial class RequestEvents(
    CatalogueDatabase database,
    TimeProvider time,
    ILogger<RequestEvents> logger
)
{
    private static readonly TimeSpan Window = TimeSpan.FromHours(1);

    /// <summary>With more, all begin anew: as many events were written.</summary>
    private const int MostRemembered = 50_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Access, long> _written = [];

    /// <summary>Publishes that a client reads a backup, if it is the first time in this hour.</summary>
    /// <param name="name">One of <see cref="ServerEvents"/>.</param>
    public void PublishRead(HttpContext context, string name, string snapshotId)
    {
        var access = new Access(name, context.GetClient().ClientId, snapshotId, ServerEvent.AddressOf(context));
        lock (_lock)
        {
            if (_written.TryGetValue(access, out var before) && time.GetElapsedTime(before) < Window)
                return;
            if (_written.Count >= MostRemembered)
                _written.Clear();
            _written[access] = time.GetTimestamp();
        }

        if (TryPublish(context, name, snapshotId, []))
            return;
        lock (_lock)
            _written.Remove(access); // so that the next request publishes it
    }

    /// <summary>Publishes what a client's request did.</summary>
    public void Publish(
        HttpContext context,
        string name,
        string? snapshotId,
        params IEnumerable<(string Name, string Value)> details
    ) => TryPublish(context, name, snapshotId, details);

    private bool TryPublish(
        HttpContext context,
        string name,
        string? snapshotId,
        IEnumerable<(string Name, string Value)> details
    )
    {
        var e = ServerEvent.Of(name, EventActor.Client, time.GetUtcNow(), details) with
        {
            ClientId = context.GetClient().ClientId,
            Address = ServerEvent.AddressOf(context),
            SnapshotId = snapshotId,
        };
        try
        {
            database.Outbox.Publish(e);
            return true;
        }
        catch (SqliteException failure)
        {
            LogLost(name, failure.Message); // a full disk must not prevent a restore
            return false;
        }
    }

    [LoggerMessage(LogLevel.Error, "The event {Event} is missing in the audit log: {Reason}")]
    private partial void LogLost(string @event, string reason);

    private readonly record struct Access(string Event, string ClientId, string SnapshotId, string? Address);
}
