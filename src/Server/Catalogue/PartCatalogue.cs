using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>What of the open uploads is in the store: their parts, and the objects that were begun for them.</summary>
internal sealed class PartCatalogue(CatalogueDatabase database, TimeProvider time)
{
    private const string Columns =
        "part, stored_offset, size_bytes, sha256, receipt, start_state, end_state, end_checksum";

    /// <summary>An upload's parts in order.</summary>
    public IReadOnlyList<PartRecord> List(string uploadId)
    {
        using var connection = database.Open();
        return [.. Read(connection, uploadId)];
    }

    /// <summary>The last part that has all before it; null where the first is missing.</summary>
    public PartRecord? FindEndOfRun(string uploadId)
    {
        using var connection = database.Open();
        PartRecord? last = null;
        foreach (var part in Read(connection, uploadId))
        {
            if (!Follows(last, part))
                break;
            last = part;
        }

        return last;
    }

    public PartRecord? Find(string uploadId, int number)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            $"SELECT {Columns} FROM upload_parts WHERE upload_id = @upload AND part = @part",
            ("@upload", uploadId),
            ("@part", (long)number)
        );
        using var rows = command.ExecuteReader();
        return rows.Read() ? ReadRow(rows) : null;
    }

    /// <summary>
    /// Whether a range of stored bytes lies behind all parts of lower numbers, and before all of higher ones.
    /// </summary>
    public bool FitsBetween(string uploadId, int number, long start, long end)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT 1 FROM upload_parts WHERE upload_id = @upload AND ((part < @part AND stored_offset + size_bytes "
                + "> @start) OR (part > @part AND stored_offset < @end)) LIMIT 1",
            ("@upload", uploadId),
            ("@part", (long)number),
            ("@start", start),
            ("@end", end)
        );
        return command.ExecuteScalar() is null;
    }

    /// <summary>Notes a part that is in the store, in the place of an earlier one of its number.</summary>
    /// <returns>False where the upload is gone.</returns>
    public bool Put(string uploadId, PartRecord part)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        using var touched = connection.Query(
            "UPDATE uploads SET touched_at = @now, last_error = NULL WHERE upload_id = @upload",
            ("@now", time.GetUtcNow().ToUnixTimeMilliseconds()),
            ("@upload", uploadId)
        );
        if (touched.ExecuteNonQuery() == 0)
            return false;
        using var command = connection.Query(
            $"""
            INSERT INTO upload_parts (upload_id, {Columns}) VALUES (@upload, @part, @offset, @size, @sha256, @receipt, @start, @end, @checksum)
            ON CONFLICT (upload_id, part) DO UPDATE SET stored_offset = excluded.stored_offset, size_bytes = excluded.size_bytes, sha256 = excluded.sha256,
            receipt = excluded.receipt, start_state = excluded.start_state, end_state = excluded.end_state, end_checksum = excluded.end_checksum
            """,
            ("@upload", uploadId),
            ("@part", (long)part.Number),
            ("@offset", part.StoredOffset),
            ("@size", (long)part.Size),
            ("@sha256", part.Sha256),
            ("@receipt", part.Receipt),
            ("@start", part.StartState),
            ("@end", part.EndState),
            ("@checksum", part.EndChecksum)
        );
        command.ExecuteNonQuery();
        transaction.Commit();
        return true;
    }

    /// <summary>Forgets the parts from a number on.</summary>
    public void RemoveFrom(string uploadId, int number)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "DELETE FROM upload_parts WHERE upload_id = @upload AND part >= @part",
            ("@upload", uploadId),
            ("@part", (long)number)
        );
        command.ExecuteNonQuery();
    }

    /// <summary>
    /// What the stream's BEGIN said, as the first part that came told it; all others must tell the same.
    /// </summary>
    public string GetOrSetBegin(string uploadId, string begin)
    {
        using var connection = database.Open();
        using var set = connection.Query(
            "UPDATE uploads SET begin_facts = COALESCE(begin_facts, @begin) WHERE upload_id = @upload RETURNING "
                + "begin_facts",
            ("@begin", begin),
            ("@upload", uploadId)
        );
        return set.ExecuteScalar() as string ?? begin;
    }

    /// <returns>Null where no part has come yet.</returns>
    public string? FindBegin(string uploadId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT begin_facts FROM uploads WHERE upload_id = @upload",
            ("@upload", uploadId)
        );
        return command.ExecuteScalar() as string;
    }

    /// <summary>The tokens of the objects that were begun for an upload, by their number from 0.</summary>
    public IReadOnlyDictionary<int, string> Objects(string uploadId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT object, token FROM upload_objects WHERE upload_id = @upload",
            ("@upload", uploadId)
        );
        using var rows = command.ExecuteReader();
        Dictionary<int, string> objects = [];
        while (rows.Read())
            objects.Add(rows.GetInt32(0), rows.GetString(1));
        return objects;
    }

    /// <summary>The tokens of all objects that are begun.</summary>
    public IReadOnlySet<string> AllTokens()
    {
        using var connection = database.Open();
        using var command = connection.Query("SELECT token FROM upload_objects");
        using var rows = command.ExecuteReader();
        HashSet<string> tokens = new(StringComparer.Ordinal);
        while (rows.Read())
            tokens.Add(rows.GetString(0));
        return tokens;
    }

    /// <summary>Notes an object that was begun.</summary>
    /// <returns>The token that holds: another's, where somebody else was faster.</returns>
    public string AddObject(string uploadId, int number, string token)
    {
        using var connection = database.Open();
        using var insert = connection.Query(
            "INSERT INTO upload_objects (upload_id, object, token) VALUES (@upload, @object, @token) ON CONFLICT DO "
                + "NOTHING",
            ("@upload", uploadId),
            ("@object", (long)number),
            ("@token", token)
        );
        insert.ExecuteNonQuery();
        using var select = connection.Query(
            "SELECT token FROM upload_objects WHERE upload_id = @upload AND object = @object",
            ("@upload", uploadId),
            ("@object", (long)number)
        );
        return (string)select.ExecuteScalar()!;
    }

    /// <summary>Forgets all of an upload's parts and objects.</summary>
    public void Clear(string uploadId)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        Clear(connection, uploadId);
        using var begin = connection.Query(
            "UPDATE uploads SET begin_facts = NULL WHERE upload_id = @upload",
            ("@upload", uploadId)
        );
        begin.ExecuteNonQuery();
        transaction.Commit();
    }

    /// <summary>Forgets them in the transaction in which the upload ends.</summary>
    public static void Clear(SqliteConnection connection, string uploadId)
    {
        using var command = connection.Query(
            "DELETE FROM upload_parts WHERE upload_id = @upload; DELETE FROM upload_objects WHERE upload_id = @upload",
            ("@upload", uploadId)
        );
        command.ExecuteNonQuery();
    }

    /// <summary>Whether a part goes on where another ends; null: where the stream begins.</summary>
    public static bool Follows(PartRecord? before, PartRecord part) =>
        part.Number == (before?.Number ?? 0) + 1
        && part.StoredOffset == (before?.StoredEnd ?? 0)
        && (before is null || part.StartState == before.EndState);

    private static IEnumerable<PartRecord> Read(SqliteConnection connection, string uploadId)
    {
        using var command = connection.Query(
            $"SELECT {Columns} FROM upload_parts WHERE upload_id = @upload ORDER BY part",
            ("@upload", uploadId)
        );
        using var rows = command.ExecuteReader();
        while (rows.Read())
            yield return ReadRow(rows);
    }

    private static PartRecord ReadRow(DbDataReader row) =>
        new()
        {
            Number = row.GetInt32(0),
            StoredOffset = row.GetInt64(1),
            Size = row.GetInt32(2),
            Sha256 = row.GetString(3),
            Receipt = row.GetString(4),
            StartState = row.GetString(5),
            EndState = row.GetString(6),
            EndChecksum = row.IsDBNull(7) ? null : row.GetString(7),
        };
}
