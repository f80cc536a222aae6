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

    /// <summary>Whether a client has any.</summary>
    /// <param name="local">Only those in ZFS.</param>
    public bool HasAny(string clientId, bool local = false) =>
        Exists(
            "client_id = @client AND (@local = 0 OR local_guid IS NOT NULL)",
            ("@client", clientId),
            ("@local", local ? 1 : 0)
        );

    public bool Contains(string storageKey) => Exists("storage_key = @key", ("@key", storageKey));

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

    private bool Exists(string condition, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var connection = database.Open();
        using var command = connection.Query($"SELECT 1 FROM deletions WHERE {condition} LIMIT 1", parameters);
        return command.ExecuteScalar() is not null;
    }
}
