using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// The server's jobs. A job is claimed by one process, which renews its lease while it works; the row of a kind and
/// subject stays when the job is done, and says how it ended.
/// </summary>
internal sealed class JobCatalogue(CatalogueDatabase database, TimeProvider time)
{
    private const string Columns =
        "kind, subject, state, owner, lease_until, not_before, attempts, requests, progress, error, finished_at";

    /// <summary>
    /// A job waits no longer than this. What seems to wait longer was noted by a clock that was wrong.
    /// </summary>
    private const long LongestWaitMilliseconds = 2 * 60 * 60 * 1000;

    /// <summary>Asks for a job, within a change of the catalogue that makes it necessary.</summary>
    /// <remarks>
    /// After a failure it keeps its pause, and if an administrator cancelled it, it stays so. One that only postponed a
    /// part of its work runs at once.
    /// </remarks>
    public static void Request(SqliteConnection connection, string kind, string subject)
    {
        using var request = connection.Query(
            """
            INSERT INTO jobs (kind, subject, state, not_before, requests) VALUES (@kind, @subject, 'waiting', 0, 1)
            ON CONFLICT (kind, subject) DO UPDATE SET
                requests = requests + 1,
                state = CASE WHEN state = 'done' THEN 'waiting' ELSE state END,
                not_before = CASE WHEN attempts = 0 THEN 0 ELSE not_before END,
                error = CASE WHEN attempts = 0 THEN NULL ELSE error END
            """,
            ("@kind", kind),
            ("@subject", subject)
        );
        request.ExecuteNonQuery();
    }

    /// <summary>
    /// At start: adds the jobs that run again and again, and takes over those of the process before. There is only one
    /// at a time, see <see cref="Files.DataDirectory"/>.
    /// </summary>
    /// <param name="kinds">Kinds that have one job, and how often it runs.</param>
    /// <returns>How many jobs were taken over.</returns>
    public int Prepare(IEnumerable<(string Kind, TimeSpan Interval)> kinds)
    {
        using var connection = database.Open();
        foreach (var (kind, interval) in kinds)
        {
            using var add = connection.Query(
                "INSERT INTO jobs (kind, subject, state, not_before) VALUES (@kind, '', 'waiting', @next) "
                    + "ON CONFLICT DO NOTHING",
                ("@kind", kind),
                ("@next", (time.GetUtcNow() + interval).ToUnixTimeMilliseconds())
            );
            add.ExecuteNonQuery();
        }

        using var release = connection.Query(
            "UPDATE jobs SET state = 'waiting', owner = NULL, lease_until = NULL WHERE state = 'running'"
        );
        return release.ExecuteNonQuery();
    }

    public IReadOnlyList<Job> List()
    {
        using var connection = database.Open();
        using var command = connection.Query($"SELECT {Columns} FROM jobs ORDER BY kind, subject");
        return ReadAll(command);
    }

    public Job? Find(string kind, string subject)
    {
        using var connection = database.Open();
        return Find(connection, kind, subject);
    }

    /// <summary>Takes the job that has been due for longest.</summary>
    /// <returns>Null if none is.</returns>
    public Job? Claim(string owner, TimeSpan lease)
    {
        using var connection = database.Open();
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        using var due = connection.Query(
            $"""
            SELECT {Columns} FROM jobs
            WHERE (state = 'waiting' AND (not_before <= @now OR not_before > @now + @longest))
               OR (state = 'running' AND lease_until < @now)
            ORDER BY not_before LIMIT 1
            """,
            ("@now", now),
            ("@longest", LongestWaitMilliseconds)
        );
        if (ReadAll(due).FirstOrDefault() is not { } job)
            return null;
        using var claim = connection.Query(
            """
            UPDATE jobs SET state = 'running', owner = @owner, lease_until = @lease, progress = ''
            WHERE kind = @kind AND subject = @subject AND state = @state AND owner IS NOT DISTINCT FROM @before
            """,
            ("@owner", owner),
            ("@lease", now + (long)lease.TotalMilliseconds),
            ("@kind", job.Kind),
            ("@subject", job.Subject),
            ("@state", job.State),
            ("@before", job.Owner)
        );
        return claim.ExecuteNonQuery() == 0 ? null : job with { State = JobStates.Running, Owner = owner };
    }

    /// <summary>Renews the lease and notes the progress.</summary>
    /// <returns>False if the job is no longer this owner's: it was cancelled, or its lease ran out.</returns>
    public bool Renew(Job job, TimeSpan lease, string progress) =>
        Write(
            job,
            "lease_until = @lease, progress = @progress",
            ("@lease", (time.GetUtcNow() + lease).ToUnixTimeMilliseconds()),
            ("@progress", progress)
        );

    /// <summary>Records that the job has ended well.</summary>
    /// <param name="next">When it runs again; null: when it is asked for.</param>
    /// <param name="postponed">Why a part of its work has to wait until then; null if nothing has.</param>
    /// <returns>False if it is no longer this owner's.</returns>
    public bool Finish(Job job, string progress, DateTimeOffset? next, string? postponed = null) =>
        Write(
            job,
            """
            state = CASE WHEN @next IS NULL AND requests = @requests THEN 'done' ELSE 'waiting' END,
            not_before = CASE WHEN requests = @requests THEN COALESCE(@next, 0) ELSE 0 END,
            error = CASE WHEN requests = @requests THEN @postponed END,
            attempts = 0, owner = NULL, lease_until = NULL, progress = @progress, finished_at = @now
            """,
            ("@next", next?.ToUnixTimeMilliseconds()),
            ("@requests", job.Requests),
            ("@postponed", postponed),
            ("@progress", progress),
            ("@now", time.GetUtcNow().ToUnixTimeMilliseconds())
        );

    /// <summary>Records that it has failed, and when it is tried again.</summary>
    /// <returns>False if it is no longer this owner's.</returns>
    public bool Fail(Job job, string progress, string error, DateTimeOffset next) =>
        Write(
            job,
            """
            state = 'waiting', not_before = @next, attempts = attempts + 1, error = @error, owner = NULL,
            lease_until = NULL, progress = @progress, finished_at = @now
            """,
            ("@next", next.ToUnixTimeMilliseconds()),
            ("@error", error),
            ("@progress", progress),
            ("@now", time.GetUtcNow().ToUnixTimeMilliseconds())
        );

    /// <summary>Gives a job back that this process does not finish.</summary>
    /// <returns>False if it is no longer this owner's.</returns>
    public bool Release(Job job) => Write(job, "state = 'waiting', owner = NULL, lease_until = NULL, not_before = 0");

    /// <summary>For an administrator: lets a job run at once, whatever it waits for.</summary>
    /// <returns>Null if it does not exist.</returns>
    public Job? Run(string kind, string subject) =>
        Change(
            kind,
            subject,
            """
            requests = requests + 1, attempts = 0, error = NULL,
            state = CASE WHEN state = 'running' THEN state ELSE 'waiting' END,
            not_before = CASE WHEN state = 'running' THEN not_before ELSE 0 END
            """
        );

    /// <summary>For an administrator: stops a job until it is asked for by one.</summary>
    /// <returns>Null if it does not exist.</returns>
    public Job? Cancel(string kind, string subject) =>
        Change(kind, subject, "state = 'cancelled', owner = NULL, lease_until = NULL");

    private Job? Change(string kind, string subject, string assignments)
    {
        using var connection = database.Open();
        using var change = connection.Query(
            $"UPDATE jobs SET {assignments} WHERE kind = @kind AND subject = @subject",
            ("@kind", kind),
            ("@subject", subject)
        );
        change.ExecuteNonQuery();
        return Find(connection, kind, subject);
    }

    /// <summary>Writes only while the job is its owner's.</summary>
    private bool Write(Job job, string assignments, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var connection = database.Open();
        using var write = connection.Query(
            $"UPDATE jobs SET {assignments} WHERE kind = @kind AND subject = @subject AND state = 'running' AND "
                + "owner = @owner",
            [.. parameters, ("@kind", job.Kind), ("@subject", job.Subject), ("@owner", job.Owner)]
        );
        return write.ExecuteNonQuery() > 0;
    }

    private static Job? Find(SqliteConnection connection, string kind, string subject)
    {
        using var command = connection.Query(
            $"SELECT {Columns} FROM jobs WHERE kind = @kind AND subject = @subject",
            ("@kind", kind),
            ("@subject", subject)
        );
        return ReadAll(command).FirstOrDefault();
    }

    private static List<Job> ReadAll(SqliteCommand command)
    {
        using var rows = command.ExecuteReader();
        List<Job> list = [];
        while (rows.Read())
            list.Add(Read(rows));
        return list;
    }

    private static Job Read(DbDataReader row)
    {
        return new Job
        {
            Kind = row.GetString(0),
            Subject = row.GetString(1),
            State = row.GetString(2),
            Owner = row.IsDBNull(3) ? null : row.GetString(3),
            LeaseUntil = ReadTime(4),
            NotBefore = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(5)),
            Attempts = row.GetInt32(6),
            Requests = row.GetInt64(7),
            Progress = row.GetString(8),
            Error = row.IsDBNull(9) ? null : row.GetString(9),
            FinishedAt = ReadTime(10),
        };

        DateTimeOffset? ReadTime(int column) =>
            row.IsDBNull(column) ? null : DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(column));
    }
}
