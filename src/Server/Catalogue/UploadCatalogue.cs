using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>The uploads that were announced and are not committed; each reserves its snapshot id.</summary>
/// <remarks>
/// Every write names how often the upload had been taken over when it was decided, and changes nothing if it was taken
/// over since. What ends uploads, or rolls them back, also works on a full disk.
/// </remarks>
internal sealed class UploadCatalogue(
    CatalogueDatabase database,
    ServerRun run,
    CatalogueReserve reserve,
    TimeProvider time
)
{
    private const string IsHeld = "upload_id = @upload AND takeovers = @takeovers";

    /// <summary>The open upload of the same snapshot, if one exists.</summary>
    public UploadRecord? FindSame(UploadRecord wanted)
    {
        using var connection = database.Open();
        return FindSame(connection, wanted);
    }

    /// <summary>True if no backup, upload or pending deletion has the id.</summary>
    public bool IsUnused(string snapshotId)
    {
        using var connection = database.Open();
        return IsUnused(connection, snapshotId);
    }

    /// <summary>
    /// Reserves the upload's id and key. If another request has announced the same snapshot meanwhile, its upload is
    /// returned.
    /// </summary>
    /// <returns>Null if the id is in use.</returns>
    /// <exception cref="OtherMachineException">The dataset comes from another machine, which this one may not
    /// replace.</exception>
    public UploadRecord? Open(UploadRecord wanted)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        // What is read here still holds at the commit only because BEGIN IMMEDIATE, which BeginTransaction sends
        // (Microsoft.Data.Sqlite, deferred: false), lets in one writer at a time. With
        // several writers, two requests could open the same snapshot, or reserve one id, at once: lock the client's
        // rows first.
        if (FindSame(connection, wanted) is { } open)
            return open;
        if (!IsUnused(connection, wanted.SnapshotId))
            return null;
        if (
            wanted is { MachineId: { } machine, TakesOver: false }
            && MachineCatalogue.FindNewest(connection, wanted.ClientId, wanted.DatasetName.Value) is { } newest
            && newest.MachineId != machine
        )
            throw new OtherMachineException(newest.MachineName);
        UploadRows.Insert(connection, wanted, run, time.GetUtcNow());
        transaction.Commit();
        return wanted;
    }

    /// <returns>Null if it does not exist or was abandoned.</returns>
    public UploadRecord? Find(string clientId, string uploadId) =>
        Query(
                "upload_id = @upload AND client_id = @client AND state <> 'abandoned'",
                ("@upload", uploadId),
                ("@client", clientId)
            )
            .FirstOrDefault();

    /// <returns>Null if it does not exist.</returns>
    public UploadRecord? FindAny(string uploadId) =>
        Query("upload_id = @upload", ("@upload", uploadId)).FirstOrDefault();

    /// <summary>Those that were not touched since, except for abandoned ones.</summary>
    public IReadOnlyList<UploadRecord> UntouchedSince(DateTimeOffset moment) =>
        Query("touched_at < @moment AND state <> 'abandoned'", ("@moment", moment.ToUnixTimeMilliseconds()));

    /// <summary>How many uploads a client has open.</summary>
    public int Count(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT COUNT(*) FROM uploads WHERE client_id = @client AND state <> 'abandoned'",
            ("@client", clientId)
        );
        return Convert.ToInt32(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }

    /// <summary>A client's uploads, except for abandoned ones.</summary>
    public IReadOnlyList<UploadRecord> List(string clientId) =>
        Query("client_id = @client AND state <> 'abandoned'", ("@client", clientId));

    /// <summary>All of them, also abandoned ones.</summary>
    public IReadOnlyList<UploadRecord> All() => Query("1 = 1");

    /// <summary>The snapshots that uploads become in ZFS.</summary>
    public IReadOnlyList<UploadRecord> ListForZfs() => Query("zfs_snapshot IS NOT NULL");

    /// <summary>
    /// Those of which a commit or a removal was begun. Unless a request does it now, it was interrupted.
    /// </summary>
    public IReadOnlyList<UploadRecord> ListUnsettled() => Query("state <> 'receiving'");

    /// <summary>Takes an upload over: what was begun with an earlier record of it can write nothing any more.</summary>
    /// <param name="touched">Whether its client did, to go on with it: then it is no longer stale, and its last error
    /// is over.</param>
    /// <returns>Null if it does not exist.</returns>
    public UploadRecord? TakeOver(string clientId, string uploadId, bool touched)
    {
        return touched ? Take() : reserve.Use(Take);

        UploadRecord? Take() =>
            Change(
                "UPDATE uploads SET takeovers = takeovers + 1, owner = @run, touched_at = COALESCE(@now, touched_at), "
                    + "last_error = CASE WHEN @now IS NULL THEN last_error END WHERE upload_id = @upload AND client_id "
                    + "= @client",
                ("@run", run.Id),
                ("@now", touched ? time.GetUtcNow().ToUnixTimeMilliseconds() : null),
                ("@upload", uploadId),
                ("@client", clientId)
            );
    }

    /// <summary>
    /// Finds an upload for one of several requests that may work on it at once. The first one takes it over from an
    /// earlier run of the server.
    /// </summary>
    /// <returns>Null if it does not exist or was abandoned.</returns>
    public UploadRecord? Join(string clientId, string uploadId) =>
        Find(clientId, uploadId) is { Owner: var owner } upload && owner == run.Id
            ? upload
            : JoinFirst(clientId, uploadId);

    /// <summary>Records how an attempt to send the stream ended.</summary>
    public void NoteError(UploadRecord upload, ApiError error) =>
        Execute(
            $"UPDATE uploads SET touched_at = @now, last_error = @error WHERE {IsHeld}",
            ("@now", time.GetUtcNow().ToUnixTimeMilliseconds()),
            ("@error", JsonSerializer.Serialize(error, ApiJson.Default.ApiError)),
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );

    /// <summary>Announces the next step.</summary>
    /// <returns>False if the upload was dropped or taken over: nothing may be done.</returns>
    public bool SetState(UploadRecord upload, UploadState state)
    {
        return state == UploadState.Receiving ? reserve.Use(Set) : Set();

        bool Set() =>
            Execute(
                $"UPDATE uploads SET state = @state WHERE {IsHeld}",
                ("@state", state.ToText()),
                ("@upload", upload.UploadId),
                ("@takeovers", upload.Takeovers)
            );
    }

    /// <summary>
    /// Records the base of the stream, announced or not: from now on rotation keeps it.
    /// </summary>
    public void SetBase(UploadRecord upload, SnapshotGuid from) =>
        Execute(
            $"UPDATE uploads SET base_guid = @from WHERE {IsHeld} AND base_guid IS DISTINCT FROM @from",
            ("@from", from.ToString()),
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );

    /// <summary>Records that another machine resumes the upload.</summary>
    public void SetMachine(string uploadId, string machineId, string machineName)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "UPDATE uploads SET machine_id = @machine, machine_name = @name WHERE upload_id = @upload AND machine_id "
                + "<> @machine",
            ("@machine", machineId),
            ("@name", machineName),
            ("@upload", uploadId)
        );
        command.ExecuteNonQuery();
    }

    /// <summary>Records which snapshot a stream becomes in ZFS, once its BEGIN has arrived.</summary>
    /// <param name="snapshot">Null: its name is released.</param>
    /// <returns>False if the upload was dropped or taken over.</returns>
    public bool SetTarget(UploadRecord upload, SnapshotName? snapshot) =>
        Execute(
            "UPDATE uploads SET zfs_snapshot = @snapshot, note = NULL, state = CASE state WHEN 'abandoned' THEN state "
                + $"ELSE 'receiving' END WHERE {IsHeld}",
            ("@snapshot", snapshot?.ToString()),
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );

    /// <summary>Records the manifest of the backup in ZFS, and that it is committed, before END is passed on.</summary>
    /// <returns>False if the upload was dropped or taken over.</returns>
    public bool SetNote(UploadRecord upload, string note) =>
        Execute(
            $"UPDATE uploads SET note = @note, state = 'committing' WHERE {IsHeld}",
            ("@note", note),
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );

    /// <summary>
    /// Gives the upload another id and key, where it starts from its beginning, and records that what is stored under
    /// the old key is to be deleted: both or neither.
    /// </summary>
    /// <param name="storedBytes">What the old key's objects have.</param>
    /// <param name="replaced">The event of it; null for none.</param>
    /// <returns>Null if the id is in use.</returns>
    /// <exception cref="InvariantException">The upload is not open, or was taken over since it was read.</exception>
    public UploadRecord? TryMove(
        UploadRecord upload,
        string snapshotId,
        string objectKey,
        long storedBytes,
        ServerEvent? replaced
    )
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        if (!IsUnused(connection, snapshotId))
            return null;
        using var move = connection.Query(
            "UPDATE uploads SET snapshot_id = @id, object_key = @key, begin_facts = NULL, parts_bytes = 0 WHERE "
                + IsHeld,
            ("@id", snapshotId),
            ("@key", objectKey),
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );
        Invariant.Require(move.ExecuteNonQuery() == 1, $"upload {upload.UploadId} of {upload.SnapshotId} is open");
        PartCatalogue.Clear(connection, upload.UploadId);
        using var note = connection.Query(
            "INSERT INTO deletions (storage_key, snapshot_id, client_id, size_bytes) VALUES (@key, @id, @client, "
                + "@size)",
            ("@key", upload.StorageKey),
            ("@id", upload.SnapshotId),
            ("@client", upload.ClientId),
            ("@size", storedBytes)
        );
        note.ExecuteNonQuery();
        JobCatalogue.Request(connection, JobKinds.Delete, upload.ClientId);
        if (replaced is not null)
            Outbox.Add(connection, replaced);
        transaction.Commit();
        if (replaced is not null)
            database.Outbox.Signal();
        return upload with { SnapshotId = snapshotId, ObjectKey = objectKey };
    }

    /// <summary>Ends the upload for its client, before anything of it is removed.</summary>
    /// <param name="dropped">The event of it; null for none.</param>
    /// <returns>False if it was dropped or taken over before: nothing may be done.</returns>
    public bool Abandon(UploadRecord upload, ServerEvent? dropped)
    {
        if (!reserve.Use(() => TryAbandon(upload, dropped)))
            return false;
        if (dropped is not null)
            database.Outbox.Signal();
        return true;
    }

    /// <summary>Removes the record of an upload of which nothing is stored any more.</summary>
    public void Remove(UploadRecord upload) => reserve.Use(() => TryRemove(upload));

    private bool TryAbandon(UploadRecord upload, ServerEvent? dropped)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        using var command = connection.Query(
            $"UPDATE uploads SET state = 'abandoned' WHERE {IsHeld}",
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );
        if (command.ExecuteNonQuery() == 0)
            return false;
        if (dropped is not null)
            Outbox.Add(connection, dropped);
        transaction.Commit();
        return true;
    }

    private bool TryRemove(UploadRecord upload)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        using var command = connection.Query(
            $"DELETE FROM uploads WHERE {IsHeld}",
            ("@upload", upload.UploadId),
            ("@takeovers", upload.Takeovers)
        );
        if (command.ExecuteNonQuery() == 0)
            return false;
        PartCatalogue.Clear(connection, upload.UploadId);
        transaction.Commit();
        return true;
    }

    private UploadRecord? JoinFirst(string clientId, string uploadId)
    {
        // If several requests see the earlier owner, only one of them takes it over.
        Execute(
            "UPDATE uploads SET takeovers = takeovers + 1, owner = @run WHERE upload_id = @upload AND client_id "
                + "= @client AND owner <> @run",
            ("@run", run.Id),
            ("@upload", uploadId),
            ("@client", clientId)
        );
        return Find(clientId, uploadId);
    }

    private bool Execute(string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var connection = database.Open();
        using var command = connection.Query(sql, parameters);
        return command.ExecuteNonQuery() > 0;
    }

    private UploadRecord? Change(string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var connection = database.Open();
        using var command = connection.Query($"{sql} RETURNING {UploadRows.Columns}", parameters);
        using var rows = command.ExecuteReader();
        return rows.Read() ? UploadRows.Read(rows) : null;
    }

    private List<UploadRecord> Query(string condition, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            $"SELECT {UploadRows.Columns} FROM uploads WHERE {condition} ORDER BY touched_at",
            parameters
        );
        using var rows = command.ExecuteReader();
        List<UploadRecord> list = [];
        while (rows.Read())
            list.Add(UploadRows.Read(rows));
        return list;
    }

    /// <summary>Only an upload that was announced with the GUID of its snapshot can be found again.</summary>
    private static UploadRecord? FindSame(SqliteConnection connection, UploadRecord wanted)
    {
        if (wanted.SnapshotGuid is null || !wanted.KindIsGiven)
            return null;
        using var command = connection.Query(
            $"SELECT {UploadRows.Columns} FROM uploads WHERE client_id = @client AND dataset_name = @dataset AND "
                + "snapshot_guid = @guid AND from_guid = @from AND compression = @compression AND storage_type = "
                + "@storage AND state <> 'abandoned'",
            ("@client", wanted.ClientId),
            ("@dataset", wanted.DatasetName.Value),
            ("@guid", wanted.SnapshotGuid.ToString()),
            ("@from", wanted.FromGuid?.ToString() ?? ""),
            ("@compression", wanted.Compression.ApiName()),
            ("@storage", wanted.StorageType)
        );
        using var rows = command.ExecuteReader();
        return rows.Read() ? UploadRows.Read(rows) : null;
    }

    private static bool IsUnused(SqliteConnection connection, string snapshotId)
    {
        using var command = connection.Query(
            "SELECT 1 FROM backups WHERE snapshot_id = @id UNION ALL SELECT 1 FROM uploads WHERE snapshot_id = @id "
                + "UNION ALL SELECT 1 FROM deletions WHERE snapshot_id = @id",
            ("@id", snapshotId)
        );
        return command.ExecuteScalar() is null;
    }
}
