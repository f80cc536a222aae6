using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Which backups are being read. A restore takes hours or days and reads a chain from its full backup on: until it has
/// not read for a while, neither what it reads nor what is built on that is deleted.
/// </summary>
internal sealed class ReadLeases(CatalogueDatabase database, TimeProvider time)
{
    /// <summary>A restore pauses while <c>zfs receive</c> works.</summary>
    private static readonly TimeSpan Duration = TimeSpan.FromHours(2);

    /// <summary>A restore reads many ranges a second; few of them have to write.</summary>
    private static readonly TimeSpan Renewal = TimeSpan.FromMinutes(10);

    /// <summary>A clock that is set while the server runs ends no lease; one further ahead was wrong.</summary>
    private static readonly TimeSpan MostAhead = Duration + TimeSpan.FromDays(1);

    /// <summary>What this process has read, by snapshot id: true also while the catalogue cannot be written.</summary>
    private readonly ConcurrentDictionary<string, Reading> _readings = new(StringComparer.Ordinal);

    /// <summary>Notes that a backup is being read.</summary>
    public void Renew(string clientId, string snapshotId)
    {
        var now = time.GetTimestamp();
        if (_readings.TryGetValue(snapshotId, out var last) && time.GetElapsedTime(last.Since, now) < Renewal)
        {
            _readings[snapshotId] = last with { Last = now };
            return;
        }

        foreach (var (id, reading) in _readings)
        {
            if (time.GetElapsedTime(reading.Last, now) > Duration)
                _readings.TryRemove(id, out _);
        }

        _readings[snapshotId] = new Reading(clientId, now, now);
        try
        {
            Write(clientId, snapshotId);
        }
        catch (SqliteException)
        {
            // The disk is full or read-only: this process knows of it, and the restore must not fail by that.
        }
    }

    /// <summary>Why backups are not deleted now: they, or a backup that they depend on, are being read.</summary>
    /// <returns>Reasons by snapshot id.</returns>
    public IReadOnlyDictionary<string, string> FindObstacles(
        string clientId,
        IReadOnlyCollection<SnapshotInfo> backups,
        BackupChains chains
    )
    {
        Dictionary<string, string> obstacles = new(StringComparer.Ordinal);
        var read = List(clientId);
        if (read.Count == 0)
            return obstacles;
        foreach (var backup in backups)
        {
            for (var below = backup; below is not null; below = chains.BaseOf(below))
            {
                if (!read.Contains(below.SnapshotId))
                    continue;
                obstacles[backup.SnapshotId] = ReferenceEquals(below, backup)
                    ? "it is being read"
                    : $"{below.SnapshotId}, which it is based on, is being read";
                break;
            }
        }

        return obstacles;
    }

    private void Write(string clientId, string snapshotId)
    {
        var now = time.GetUtcNow();
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        using var forget = connection.Query(
            "DELETE FROM read_leases WHERE until < @now OR until > @most",
            ("@now", now.ToUnixTimeSeconds()),
            ("@most", (now + MostAhead).ToUnixTimeSeconds()) // noted by a clock that was wrong
        );
        forget.ExecuteNonQuery();
        using var renew = connection.Query(
            "INSERT INTO read_leases (snapshot_id, client_id, until) VALUES (@id, @client, @until) "
                + "ON CONFLICT (snapshot_id) DO UPDATE SET until = excluded.until",
            ("@id", snapshotId),
            ("@client", clientId),
            ("@until", (now + Duration).ToUnixTimeSeconds())
        );
        renew.ExecuteNonQuery();
        transaction.Commit();
    }

    private HashSet<string> List(string clientId)
    {
        var now = time.GetUtcNow();
        using var connection = database.Open();
        using var query = connection.Query(
            "SELECT snapshot_id FROM read_leases WHERE client_id = @client AND until >= @now AND until <= @most",
            ("@client", clientId),
            ("@now", now.ToUnixTimeSeconds()),
            ("@most", (now + MostAhead).ToUnixTimeSeconds())
        );
        using var rows = query.ExecuteReader();
        var read = _readings
            .Where(reading => reading.Value.ClientId == clientId && time.GetElapsedTime(reading.Value.Last) <= Duration)
            .Select(reading => reading.Key)
            .ToHashSet(StringComparer.Ordinal);
        while (rows.Read())
            read.Add(rows.GetString(0));
        return read;
    }

    /// <param name="Since">When it was last written into the catalogue, or that was tried.</param>
    /// <param name="Last">When it was last read.</param>
    private readonly record struct Reading(string ClientId, long Since, long Last);
}
