using System.Diagnostics;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>A start does not wait for what an earlier run left, however much it is.</summary>
public sealed class ManyLeftoversTests
{
    private const int Uploads = 1000;
    private const int Deletions = 10_000;

    [Fact]
    public async Task A_start_with_thousands_of_open_uploads_and_pending_deletions_answers_and_then_finishes_them()
    {
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        var kept = Recorded.Get("full");
        (await client.StoreAsync(kept.Bytes, "tank/kept")).MustSucceed();
        var cut = CutParts.Cut(kept.Bytes, int.MaxValue, new Random(1));
        var upload = await client.AnnounceAsync(Recorded.Announce(kept, "gzip"));
        (await client.SendPartAsync(upload, cut.Parts[0])).MustSucceed();
        await server.KillAsync();
        Multiply(server, client.Id);

        var watch = Stopwatch.StartNew();
        await server.StartAgainAsync(recovers: false);
        Console.WriteLine(
            $"{watch.ElapsedMilliseconds} ms from the start of the program to its first answer, "
                + $"with {Uploads} uploads to recover and {Deletions} deletions"
        );

        // A client's request does not wait for the others' either.
        (await client.CompleteAsync(upload, cut)).MustSucceed();
        await Patience.UntilAsync("all uploads are recovered", async () => await server.RecoveryAsync() is null);
        await Patience.UntilAsync("what was to be deleted is", () =>
            Count(server, "SELECT COUNT(*) FROM deletions") == 0
        );
        Assert.Equal(Uploads - 1, Count(server, "SELECT COUNT(*) FROM uploads WHERE state = 'receiving'"));
        var listed = (await client.GetAsync("snapshots")).MustSucceed().Json;
        Assert.Equal(2, listed.GetProperty("snapshots").GetArrayLength());
    }

    /// <summary>Many uploads whose commit was interrupted, like the open one, and many objects to delete.</summary>
    private static void Multiply(ServerProcess server, string client)
    {
        using var connection = Open(server);
        List<string> columns = [];
        using (var command = connection.CreateCommand())
        {
            command.CommandText = "SELECT name FROM pragma_table_info('uploads')";
            using var rows = command.ExecuteReader();
            while (rows.Read())
                columns.Add(rows.GetString(0));
        }

        var values = columns.Select(column =>
            column switch
            {
                "upload_id" or "snapshot_id" or "object_key" or "dataset_name" => $"{column} || '-' || number",
                "parts_bytes" => "0",
                _ => column,
            }
        );
        using var copy = connection.CreateCommand();
        copy.CommandText = $"""
            WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < @count)
            INSERT INTO uploads ({string.Join(", ", columns)})
            SELECT {string.Join(", ", values)} FROM uploads, numbers WHERE number < {Uploads};
            UPDATE uploads SET state = 'committing';
            WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < @count)
            INSERT INTO deletions (storage_key, snapshot_id, client_id, size_bytes)
            SELECT @client || '/gone-' || number || '.zfs.gz', @client || '/gone-' || number, @client, 1 FROM numbers;
            INSERT INTO jobs (kind, subject, state, not_before) VALUES ('delete', @client, 'waiting', 0)
            ON CONFLICT DO UPDATE SET state = 'waiting', not_before = 0;
            """;
        copy.Parameters.AddWithValue("@count", Deletions);
        copy.Parameters.AddWithValue("@client", client);
        copy.ExecuteNonQuery();
    }

    private static long Count(ServerProcess server, string query)
    {
        using var connection = Open(server);
        using var count = connection.CreateCommand();
        count.CommandText = query;
        return (long)count.ExecuteScalar()!;
    }

    private static SqliteConnection Open(ServerProcess server)
    {
        var connection = new SqliteConnection(
            $"Data Source={Path.Combine(server.DataFolder, "metadata.db")};Pooling=False;Default Timeout=30"
        );
        connection.Open();
        return connection;
    }
}
