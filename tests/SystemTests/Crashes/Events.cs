using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>The events of a server, on their way from the catalogue to the audit log.</summary>
internal static class Events
{
    /// <summary>Waits until the server has written all events to the audit log.</summary>
    public static Task UntilDeliveredAsync(ServerProcess server) =>
        Patience.UntilAsync("the events are in the audit log", () => CountUndelivered(server) == 0);

    /// <summary>A crash between a commit and the audit log loses no event, and writes none twice.</summary>
    /// <param name="keys">Storage keys of the listed backups.</param>
    public static async Task AssertHasEachCommitOnceAsync(ServerProcess server, IEnumerable<string> keys)
    {
        await UntilDeliveredAsync(server);
        var lines = await File.ReadAllLinesAsync(Path.Combine(server.DataFolder, "audit.log"));
        foreach (var key in keys)
        {
            var id = key[..key.IndexOf(".zfs", StringComparison.Ordinal)];
            Assert.Single(lines, line =>
                line.Contains("\"backup.committed\"", StringComparison.Ordinal)
                && line.Contains($"\"snapshot_id\":\"{id}\"", StringComparison.Ordinal)
                && line.EndsWith('}')
            );
        }
    }

    private static long CountUndelivered(ServerProcess server)
    {
        using var connection = new SqliteConnection(
            $"Data Source={Path.Combine(server.DataFolder, "metadata.db")};Pooling=False;Default Timeout=30"
        );
        connection.Open();
        using var count = connection.CreateCommand();
        count.CommandText = "SELECT COUNT(*) FROM outbox";
        return (long)count.ExecuteScalar()!;
    }
}
