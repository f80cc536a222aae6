using System.Globalization;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Backups that are no longer listed and whose objects or snapshots may still exist. Their keys are not used again, and
/// their space counts, until they are deleted.
/// </summary>
internal sealed class DeletionCatalogue(CatalogueDatabase database)
{
    /// <param name="clientId">Null: of all clients.</param>
    public IReadOnlyList<Deletion> List(string? clientId = null)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT storage_key, local_guid FROM deletions WHERE client_id = @client OR @client IS NULL "
                + "ORDER BY storage_key",
            ("@client", clientId)
        );
        using var rows = command.ExecuteReader();
        List<Deletion> deletions = [];
        while (rows.Read())
            deletions.Add(new Deletion(rows.GetString(0), rows.FindGuid(1)));
        return deletions;
    }

    /// <summary>Stored bytes of a client's objects that are still to be deleted.</summary>
    public long CountBytes(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "SELECT COALESCE(SUM(size_bytes), 0) FROM deletions WHERE client_id = @client AND local_guid IS NULL",
            ("@client", clientId)
        );
        return Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }

    /// <summary>Records that it is deleted.</summary>
    /// <returns>False if that was recorded before.</returns>
    public bool End(string storageKey)
    {
        using var connection = database.Open();
        using var command = connection.Query("DELETE FROM deletions WHERE storage_key = @key", ("@key", storageKey));
        return command.ExecuteNonQuery() > 0;
    }
}
