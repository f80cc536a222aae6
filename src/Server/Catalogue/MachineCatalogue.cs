using System.Data.Common;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// The machines that use a client's id: those that backups and uploads come from, and those that were refused because
/// a dataset's backups come from another one.
/// </summary>
internal sealed class MachineCatalogue(CatalogueDatabase database, TimeProvider time)
{
    /// <summary>Of each client. A client with a new machine in each request must not fill the disk.</summary>
    private const int MaxRefused = 20;

    /// <summary>
    /// A machine that got an id of its own, or was switched off, is not named for ever: one that is still refused
    /// tries again sooner.
    /// </summary>
    private static readonly TimeSpan RefusalLasts = TimeSpan.FromDays(30);

    /// <summary>
    /// The machine that a dataset's newest backup or open upload comes from; null if none says where it comes from.
    /// </summary>
    public MachineInfo? FindNewest(string clientId, string dataset)
    {
        using var connection = database.Open();
        return FindNewest(connection, clientId, dataset);
    }

    /// <summary>The same, in the transaction that opens an upload.</summary>
    public static MachineInfo? FindNewest(SqliteConnection connection, string clientId, string dataset)
    {
        using var command = connection.Query(
            """
            SELECT machine_id, machine_name, received_at AS at FROM backups
            WHERE client_id = @client AND dataset_name = @dataset AND machine_id <> ''
            UNION ALL
            SELECT machine_id, machine_name, touched_at FROM uploads
            WHERE client_id = @client AND dataset_name = @dataset AND machine_id <> '' AND state <> 'abandoned'
            ORDER BY at DESC LIMIT 1
            """,
            ("@client", clientId),
            ("@dataset", dataset)
        );
        using var rows = command.ExecuteReader();
        return rows.Read() ? Read(rows) : null;
    }

    /// <summary>
    /// A machine with the same id and another name that is sending another snapshot of the dataset: a clone, since a
    /// machine that was renamed sends the snapshot that it began with.
    /// </summary>
    /// <param name="wanted">What was announced.</param>
    /// <param name="idle">After this time without a byte an upload is not being sent.</param>
    public MachineInfo? FindClone(UploadRecord wanted, TimeSpan idle)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            """
            SELECT machine_id, machine_name, touched_at FROM uploads
            WHERE client_id = @client AND dataset_name = @dataset AND machine_id = @machine AND machine_name <> @name
                AND snapshot_guid NOT IN ('', @guid) AND touched_at > @since AND state <> 'abandoned'
            ORDER BY touched_at DESC LIMIT 1
            """,
            ("@client", wanted.ClientId),
            ("@dataset", wanted.DatasetName.Value),
            ("@machine", wanted.MachineId),
            ("@name", wanted.MachineName),
            ("@guid", wanted.SnapshotGuid?.ToString() ?? ""),
            ("@since", (time.GetUtcNow() - idle).ToUnixTimeMilliseconds())
        );
        using var rows = command.ExecuteReader();
        return rows.Read() ? Read(rows) : null;
    }

    /// <summary>
    /// The last seen one first, each with the name that it had then. Refusals of more than 30 days ago do not count.
    /// </summary>
    public IReadOnlyList<MachineInfo> List(string clientId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            """
            SELECT machine_id, machine_name, at, refused FROM (
                SELECT
                    machine_id, machine_name, at, MAX(refused) OVER (PARTITION BY machine_id) AS refused,
                    ROW_NUMBER() OVER (PARTITION BY machine_id ORDER BY at DESC, machine_name) AS place
                FROM (
                    SELECT machine_id, machine_name, MAX(received_at) AS at, NULL AS refused FROM backups
                    WHERE client_id = @client AND machine_id <> '' GROUP BY machine_id, machine_name
                    UNION ALL
                    SELECT machine_id, machine_name, touched_at, NULL FROM uploads
                    WHERE client_id = @client AND machine_id <> '' AND state <> 'abandoned'
                    UNION ALL
                    SELECT machine_id, machine_name, refused_at, dataset_name FROM refused_machines
                    WHERE client_id = @client AND refused_at >= @since
                )
            )
            WHERE place = 1 ORDER BY at DESC, machine_id
            """,
            ("@client", clientId),
            ("@since", OldestRefusal)
        );
        using var rows = command.ExecuteReader();
        List<MachineInfo> machines = [];
        while (rows.Read())
            machines.Add(Read(rows) with { RefusedDataset = rows.IsDBNull(3) ? null : rows.GetString(3) });
        return machines;
    }

    /// <summary>Records that a machine was not allowed to back up a dataset.</summary>
    public void AddRefused(string clientId, string machineId, string machineName, string dataset)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        using var insert = connection.Query(
            """
            INSERT INTO refused_machines (client_id, machine_id, machine_name, dataset_name, refused_at)
            VALUES (@client, @machine, @name, @dataset, @now)
            ON CONFLICT (client_id, machine_id) DO UPDATE SET
                machine_name = excluded.machine_name, dataset_name = excluded.dataset_name,
                refused_at = excluded.refused_at
            """,
            ("@client", clientId),
            ("@machine", machineId),
            ("@name", machineName),
            ("@dataset", dataset),
            ("@now", time.GetUtcNow().ToUnixTimeMilliseconds())
        );
        insert.ExecuteNonQuery();
        using var prune = connection.Query(
            """
            DELETE FROM refused_machines WHERE refused_at < @since OR (client_id = @client AND machine_id NOT IN (
                SELECT machine_id FROM refused_machines WHERE client_id = @client
                ORDER BY refused_at DESC LIMIT @most
            ))
            """,
            ("@client", clientId),
            ("@most", MaxRefused),
            ("@since", OldestRefusal)
        );
        prune.ExecuteNonQuery();
        transaction.Commit();
    }

    /// <summary>Forgets that a machine was refused: it has taken a dataset over.</summary>
    public void EndRefusal(string clientId, string machineId)
    {
        using var connection = database.Open();
        using var command = connection.Query(
            "DELETE FROM refused_machines WHERE client_id = @client AND machine_id = @machine",
            ("@client", clientId),
            ("@machine", machineId)
        );
        command.ExecuteNonQuery();
    }

    private long OldestRefusal => (time.GetUtcNow() - RefusalLasts).ToUnixTimeMilliseconds();

    private static MachineInfo Read(DbDataReader row) =>
        new()
        {
            MachineId = row.GetString(0),
            MachineName = row.GetString(1),
            LastSeen = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(2)),
        };
}
