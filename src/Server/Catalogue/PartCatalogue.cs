using System.Data.Common;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>What is stored of the open uploads: their parts, and the objects that were created for them.</summary>
internal sealed class PartCatalogue(CatalogueDatabase database, TimeProvider time)
{
    private const int PartsOfPiece = 1024;
    private const string IsHeld = "EXISTS (SELECT 1 FROM uploads WHERE upload_id = @upload AND takeovers = @takeovers)";

    private const string Columns =
        "part, stored_offset, size_bytes, sha256, receipt, start_state, end_state, end_checksum";

    /// <summary>
    /// An upload's parts in order, read a piece at a time: they may be very many, and whoever reads them slowly holds
    /// no transaction meanwhile, which would keep the write-ahead log from being reset.
    /// </summary>
    /// <param name="after">Parts up to this number are left out.</param>
    public IEnumerable<PartRecord> Walk(string uploadId, int after = 0)
    {
        var last = after;
        while (true)
        {
            List<PartRecord> piece;
            using (var connection = database.Open())
                piece = [.. Read(connection, uploadId, last, PartsOfPiece)];
            foreach (var part in piece)
                yield return part;
            if (piece.Count < PartsOfPiece)
                yield break;
            last = piece[^1].Number;
        }
    }

    /// <summary>The bytes of an upload's objects, in order.</summary>
    /// <param name="maxParts">How many parts each has, but the last.</param>
    public IReadOnlyList<long> ObjectSizes(string uploadId, int maxParts)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT SUM(size_bytes) FROM upload_parts WHERE upload_id = @upload GROUP BY (part - 1) / @most ORDER BY "
                + "(part - 1) / @most",
            ("@upload", uploadId),
            ("@most", (long)maxParts)
        );
        using var rows = command.ExecuteReader();
        List<long> sizes = [];
        while (rows.Read())
            sizes.Add(rows.GetInt64(0));
        return sizes;
    }

    /// <summary>The parts before the first gap, in order, as <see cref="Walk"/> reads them.</summary>
    public IEnumerable<PartRecord> WalkRun(string uploadId)
    {
        PartRecord? last = null;
        foreach (var part in Walk(uploadId))
        {
            if (!Follows(last, part))
                yield break;
            yield return part;
            last = part;
        }
    }

    /// <summary>The last part before the first gap; null if part 1 is missing.</summary>
    public PartRecord? FindEndOfRun(string uploadId) => WalkRun(uploadId).LastOrDefault();

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
    /// Whether a range of stored bytes lies after all parts with lower numbers and before all with higher ones. Every
    /// part that is stored was asked about before, so their order is that of their numbers, and the two neighbours
    /// speak for all.
    /// </summary>
    public bool FitsBetween(string uploadId, int number, long start, long end)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            """
            SELECT
                COALESCE((SELECT stored_offset + size_bytes FROM upload_parts
                          WHERE upload_id = @upload AND part < @part ORDER BY part DESC LIMIT 1), 0) <= @start
                AND COALESCE((SELECT stored_offset FROM upload_parts
                              WHERE upload_id = @upload AND part > @part ORDER BY part LIMIT 1), @end) >= @end
            """,
            ("@upload", uploadId),
            ("@part", (long)number),
            ("@start", start),
            ("@end", end)
        );
        return (long)command.ExecuteScalar()! != 0;
    }

    /// <summary>Whether another part holds the stream's END: a stream has one.</summary>
    public bool HasOtherEnd(string uploadId, int number)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT 1 FROM upload_parts WHERE upload_id = @upload AND part <> @part AND end_checksum IS NOT NULL "
                + "LIMIT 1",
            ("@upload", uploadId),
            ("@part", (long)number)
        );
        return command.ExecuteScalar() is not null;
    }

    /// <summary>Records a part that is stored; it replaces an earlier one with its number.</summary>
    /// <returns>False if the upload was dropped or taken over.</returns>
    public bool Put(UploadRecord upload, PartRecord part)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        using var touched = connection.Query(
            """
            UPDATE uploads SET touched_at = @now, last_error = NULL, parts_bytes = parts_bytes + @size - COALESCE(
                (SELECT size_bytes FROM upload_parts WHERE upload_id = @upload AND part = @part), 0)
            WHERE upload_id = @upload AND takeovers = @takeovers
            """,
            ("@now", time.GetUtcNow().ToUnixTimeMilliseconds()),
            ("@size", (long)part.Size),
            ("@part", (long)part.Number),
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );
        if (touched.ExecuteNonQuery() == 0)
            return false;
        using var command = connection.Query(
            $"""
            INSERT INTO upload_parts (upload_id, {Columns})
            VALUES (@upload, @part, @offset, @size, @sha256, @receipt, @start, @end, @checksum)
            ON CONFLICT (upload_id, part) DO UPDATE SET
                stored_offset = excluded.stored_offset,
                size_bytes = excluded.size_bytes,
                sha256 = excluded.sha256,
                receipt = excluded.receipt,
                start_state = excluded.start_state,
                end_state = excluded.end_state,
                end_checksum = excluded.end_checksum
            """,
            ("@upload", upload.UploadId),
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

    /// <summary>Removes the records of all parts from a number on.</summary>
    public void RemoveFrom(UploadRecord upload, int number)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        using var command = connection.Query(
            $"""
            UPDATE uploads SET parts_bytes = parts_bytes - (
                SELECT COALESCE(SUM(size_bytes), 0) FROM upload_parts WHERE upload_id = @upload AND part >= @part)
            WHERE upload_id = @upload AND takeovers = @takeovers;
            DELETE FROM upload_parts WHERE upload_id = @upload AND part >= @part AND {IsHeld}
            """,
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers),
            ("@part", (long)number)
        );
        command.ExecuteNonQuery();
        transaction.Commit();
    }

    /// <summary>
    /// Records the facts of the stream's BEGIN, which every part carries. The first part sets them.
    /// </summary>
    /// <returns>False if an earlier part belongs to another stream.</returns>
    public bool TrySetBegin(UploadRecord upload, SnapshotStreamInfo begin)
    {
        var text = begin.Format();
        if (FindBeginText(upload.UploadId) is { } first)
            return first == text; // nothing is written, for each part but the first
        using var connection = database.Open();
        using var set = connection.Query(
            "UPDATE uploads SET begin_facts = COALESCE(begin_facts, @begin) WHERE upload_id = @upload AND "
                + "takeovers = @takeovers RETURNING begin_facts",
            ("@begin", text),
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );
        return set.ExecuteScalar() is not string known || known == text;
    }

    /// <summary>Whether BEGIN is known: then parts, or a stream for ZFS, have arrived.</summary>
    public bool HasBegin(string uploadId) => FindBeginText(uploadId) is not null;

    /// <returns>Null if no part has arrived yet.</returns>
    public SnapshotStreamInfo? FindBegin(string uploadId) =>
        SnapshotStreamInfo.TryParse(FindBeginText(uploadId), out var begin) ? begin : null;

    /// <summary>The facts of BEGIN of an upload that has parts.</summary>
    public SnapshotStreamInfo RequireBegin(string uploadId) =>
        FindBegin(uploadId)
        ?? throw new InvalidOperationException($"The catalogue does not say what the stream of upload {uploadId} is.");

    /// <summary>The facts of BEGIN as <see cref="SnapshotStreamInfo.Format"/> writes them.</summary>
    /// <returns>Null if no part has arrived yet.</returns>
    public string? FindBeginText(string uploadId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT begin_facts FROM uploads WHERE upload_id = @upload",
            ("@upload", uploadId)
        );
        return command.ExecuteScalar() as string;
    }

    /// <summary>The tokens of the objects that were created for an upload, by their number from 0.</summary>
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

    /// <summary>The tokens of the incomplete objects of all uploads.</summary>
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

    /// <summary>The token of one object; null if it was not created.</summary>
    /// <param name="number">From 0.</param>
    public string? FindObject(string uploadId, int number)
    {
        using var connection = database.Open();
        return FindObject(connection, uploadId, number);
    }

    /// <summary>Records an object that was created.</summary>
    /// <returns>The token in force: another request's if that was faster. Null if the upload was dropped or taken
    /// over.</returns>
    public string? AddObject(UploadRecord upload, int number, string token)
    {
        using var connection = database.Open();
        using var insert = connection.Query(
            $"INSERT INTO upload_objects (upload_id, object, token) SELECT @upload, @object, @token WHERE {IsHeld} ON "
                + "CONFLICT DO NOTHING",
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers),
            ("@object", (long)number),
            ("@token", token)
        );
        insert.ExecuteNonQuery();
        return FindObject(connection, upload.UploadId, number);
    }

    /// <summary>Removes the records of an upload's parts and objects.</summary>
    /// <param name="replaced">The event of it; null for none.</param>
    public void Clear(UploadRecord upload, ServerEvent? replaced = null)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        using var begin = connection.Query(
            "UPDATE uploads SET begin_facts = NULL, parts_bytes = 0 WHERE upload_id = @upload AND takeovers "
                + "= @takeovers",
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );
        if (begin.ExecuteNonQuery() == 0)
            return;
        Clear(connection, upload.UploadId);
        if (replaced is not null)
            Outbox.Add(connection, replaced);
        transaction.Commit();
        if (replaced is not null)
            database.Outbox.Signal();
    }

    /// <summary>Removes them in the transaction that ends the upload.</summary>
    public static void Clear(SqliteConnection connection, string uploadId)
    {
        using var command = connection.Query(
            "DELETE FROM upload_parts WHERE upload_id = @upload; DELETE FROM upload_objects WHERE upload_id = @upload",
            ("@upload", uploadId)
        );
        command.ExecuteNonQuery();
    }

    private static string? FindObject(SqliteConnection connection, string uploadId, int number)
    {
        using var command = connection.Query(
            "SELECT token FROM upload_objects WHERE upload_id = @upload AND object = @object",
            ("@upload", uploadId),
            ("@object", (long)number)
        );
        return command.ExecuteScalar() as string;
    }

    /// <summary>Whether a part continues where another ends; null: where the stream begins.</summary>
    public static bool Follows(PartRecord? before, PartRecord part) =>
        part.Number == (before?.Number ?? 0) + 1
        && part.StoredOffset == (before?.StoredEnd ?? 0)
        && (before is null || part.StartState == before.EndState);

    /// <param name="after">Parts up to this number are left out.</param>
    /// <param name="most">How many are read.</param>
    private static IEnumerable<PartRecord> Read(SqliteConnection connection, string uploadId, long after, long most)
    {
        using var command = connection.Query(
            $"SELECT {Columns} FROM upload_parts WHERE upload_id = @upload AND part > @after ORDER BY part LIMIT @most",
            ("@upload", uploadId),
            ("@after", after),
            ("@most", most)
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
