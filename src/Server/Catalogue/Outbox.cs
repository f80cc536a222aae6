using System.Text.Json;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Events on their way to the audit log and the server's log. Each is written in the transaction that makes it true: a
/// crash loses neither the event of a change, nor tells of a change that was not made.
/// </summary>
internal sealed class Outbox(CatalogueDatabase database)
{
    private TaskCompletionSource _added = NewSignal();

    /// <summary>Adds an event to a transaction; call <see cref="Signal"/> after its commit.</summary>
    public static void Add(SqliteConnection connection, ServerEvent e)
    {
        using var insert = connection.Query(
            "INSERT INTO outbox (event) VALUES (@event)",
            ("@event", JsonSerializer.Serialize(e, EventJson.Default.ServerEvent))
        );
        insert.ExecuteNonQuery();
    }

    /// <summary>Adds an event that no change of the catalogue makes true. It is on disk when this returns.</summary>
    public void Publish(ServerEvent e)
    {
        using (var connection = database.Open())
            Add(connection, e);
        Signal();
    }

    /// <summary>Wakes who delivers the events.</summary>
    public void Signal() => Volatile.Read(ref _added).TrySetResult();

    /// <summary>Waits for an event of this process, or until other processes may have added some.</summary>
    public async Task WaitAsync(TimeSpan most, CancellationToken cancellationToken)
    {
        var added = _added.Task;
        await added.WaitAsync(most, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        if (added.IsCompleted)
            Volatile.Write(ref _added, NewSignal()); // one delivery is for all events until now
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <returns>The oldest events; null for one that cannot be read.</returns>
    /// <param name="most">How many; -1: all.</param>
    public IReadOnlyList<(long Number, ServerEvent? Event)> List(int most)
    {
        using var connection = database.Open();
        using var query = connection.Query(
            "SELECT number, event FROM outbox ORDER BY number LIMIT @most",
            ("@most", (long)most)
        );
        using var rows = query.ExecuteReader();
        List<(long Number, ServerEvent? Event)> list = [];
        while (rows.Read())
            list.Add((rows.GetInt64(0), ServerEvent.Parse(rows.GetString(1))));
        return list;
    }

    /// <summary>Removes the events that were delivered.</summary>
    /// <param name="last">The number of the last of them.</param>
    public void RemoveUpTo(long last)
    {
        using var connection = database.Open();
        using var delete = connection.Query("DELETE FROM outbox WHERE number <= @last", ("@last", last));
        delete.ExecuteNonQuery();
    }
}
