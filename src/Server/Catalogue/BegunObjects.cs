using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Notes of which backups objects were begun, by the backup's key. They outlive the upload: what S3 did not abort when
/// the upload ended is aborted later.
/// </summary>
internal sealed class BegunObjects(CatalogueDatabase database, TimeProvider time) : IBegunObjects
{
    public void Note(string key)
    {
        using var connection = database.Open();
        Note(connection, [StorageKey.BackupOf(key)], time.GetUtcNow());
    }

    public bool Contains(string key)
    {
        using var connection = database.Open();
        using var query = connection.Query(
            "SELECT 1 FROM begun_objects WHERE storage_key = @key",
            ("@key", StorageKey.BackupOf(key))
        );
        return query.ExecuteScalar() is not null;
    }

    /// <summary>Best effort: a note that is kept too long costs nothing.</summary>
    public void Forget(DateTimeOffset notedBefore, IReadOnlySet<string> incomplete)
    {
        try
        {
            ForgetAll(notedBefore, incomplete);
        }
        catch (SqliteException)
        {
            // The disk is full or read-only, or the catalogue is busy: a later run forgets them.
        }
    }

    /// <summary>Carries the notes of another catalogue over.</summary>
    public void NoteAll(IEnumerable<string> backupKeys)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        Note(connection, backupKeys, time.GetUtcNow());
        transaction.Commit();
    }

    private void ForgetAll(DateTimeOffset notedBefore, IReadOnlySet<string> incomplete)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        foreach (var key in KeysNotedBefore(connection, notedBefore).Except(incomplete.Select(StorageKey.BackupOf)))
        {
            using var delete = connection.Query("DELETE FROM begun_objects WHERE storage_key = @key", ("@key", key));
            delete.ExecuteNonQuery();
        }

        transaction.Commit();
    }

    private static void Note(SqliteConnection connection, IEnumerable<string> backupKeys, DateTimeOffset now)
    {
        foreach (var key in backupKeys)
        {
            using var insert = connection.Query(
                "INSERT INTO begun_objects (storage_key, begun_at) VALUES (@key, @now) ON CONFLICT (storage_key) DO "
                    + "UPDATE SET begun_at = excluded.begun_at",
                ("@key", key),
                ("@now", now.ToUnixTimeMilliseconds())
            );
            insert.ExecuteNonQuery();
        }
    }

    private static List<string> KeysNotedBefore(SqliteConnection connection, DateTimeOffset moment)
    {
        using var query = connection.Query(
            "SELECT storage_key FROM begun_objects WHERE begun_at < @moment",
            ("@moment", moment.ToUnixTimeMilliseconds())
        );
        using var rows = query.ExecuteReader();
        List<string> keys = [];
        while (rows.Read())
            keys.Add(rows.GetString(0));
        return keys;
    }
}
