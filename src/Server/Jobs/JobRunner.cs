using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Jobs;

/// <summary>
/// Runs the server's jobs, a few at a time: no request waits for them, and a failure is tried again with growing
/// pauses.
/// </summary>
internal sealed partial class JobRunner(
    JobCatalogue jobs,
    JobSignals signals,
    CatalogueReserve reserve,
    ServerRun server,
    IEnumerable<IJobHandler> handlers,
    TimeProvider time,
    ILogger<JobRunner> logger
) : BackgroundService
{
    private const int MaxRunning = 4;

    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Renewal = TimeSpan.FromSeconds(15);

    /// <summary>Commands of administrators change jobs in the catalogue only.</summary>
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan PauseAfterFault = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromHours(1);

    private readonly Dictionary<string, IJobHandler> _handlers = handlers.ToDictionary(
        handler => handler.Kind,
        StringComparer.Ordinal
    );

    /// <summary>At start, before requests are accepted: takes a moment, whatever is to be done.</summary>
    public void Prepare()
    {
        var regular = _handlers
            .Values.Where(handler => handler.Interval is not null)
            .Select(handler => (handler.Kind, handler.Interval!.Value));
        try
        {
            reserve.Use(() => jobs.Prepare(regular));
        }
        catch (SqliteException e)
        {
            LogCatalogue(e); // the disk is full: clients that restore need the server meanwhile
        }
    }

    /// <summary>How long a job pauses after so many failures in a row.</summary>
    public static TimeSpan PauseAfter(int attempts) =>
        attempts > 10 ? LongestPause : Min(LongestPause, ShortestPause * Math.Pow(2, attempts - 1));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Dictionary<string, Task> running = new(StringComparer.Ordinal);
        while (!stoppingToken.IsCancellationRequested)
        {
            var requested = signals.Requested.Next;
            var pause = Poll;
            foreach (var (name, _) in running.Where(job => job.Value.IsCompleted).ToList())
                running.Remove(name);
            try
            {
                // What deletes must also run if the catalogue's disk is full.
                while (running.Count < MaxRunning && reserve.Use(() => jobs.Claim(server.Id, Lease)) is { } job)
                    running[job.Name] = RunAsync(job, running.GetValueOrDefault(job.Name), stoppingToken);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                LogCatalogue(e); // a busy catalogue or a full disk must not stop the server
                pause = PauseAfterFault;
            }

            await Task.WhenAny([.. running.Values, requested, Task.Delay(pause, time, stoppingToken)]);
        }

        await Task.WhenAll(running.Values);
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    /// <param name="before">
    /// A run of the same job that has not ended: an administrator cancelled it and lets it run again, or its lease ran
    /// out because the clock was set.
    /// </param>
    private async Task RunAsync(Job job, Task? before, CancellationToken stoppingToken)
    {
        await Task.Yield();
        if (before is not null)
            await before;
        var run = new JobRun(job.Subject);
        try
        {
            using var lost = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            var renewing = RenewAsync(job, run, lost, ended.Token);
            try
            {
                await DoAsync(job, run, lost.Token, stoppingToken);
            }
            finally
            {
                await ended.CancelAsync();
                await renewing;
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            LogCatalogue(e); // the lease runs out, and then the job is taken up again
        }

        signals.Progressed.Signal();
    }

    private async Task DoAsync(
        Job job,
        JobRun run,
        CancellationToken cancellationToken,
        CancellationToken stoppingToken
    )
    {
        try
        {
            if (!_handlers.TryGetValue(job.Kind, out var handler))
                throw new InvalidOperationException($"This version of zfs-server has no jobs of the kind {job.Kind}.");
            await handler.RunAsync(run, cancellationToken);
            var pause = run.Postponed is null ? handler.Interval : LongestPause;
            reserve.Use(() => jobs.Finish(job, run.Progress, time.GetUtcNow() + pause, run.Postponed));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            reserve.Use(() => jobs.Release(job));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            LogCancelled(job.Name);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var pause = PauseAfter(job.Attempts + 1);
            LogFailed(e, job.Name, (long)pause.TotalSeconds);
            reserve.Use(() => jobs.Fail(job, run.Progress, e.Message, time.GetUtcNow() + pause));
        }
    }

    /// <summary>Cancels the run if the job is no longer this process's.</summary>
    private async Task RenewAsync(
        Job job,
        JobRun run,
        CancellationTokenSource lost,
        CancellationToken cancellationToken
    )
    {
        try
        {
            using var timer = new PeriodicTimer(Poll, time);
            var renewed = time.GetTimestamp();
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                var isDue = time.GetElapsedTime(renewed) >= Renewal;
                if (!IsStillOwned(job, run, isDue))
                {
                    await lost.CancelAsync();
                    return;
                }

                if (isDue)
                    renewed = time.GetTimestamp();
            }
        }
        catch (OperationCanceledException)
        {
            // The run has ended.
        }
    }

    private bool IsStillOwned(Job job, JobRun run, bool renews)
    {
        try
        {
            return renews
                ? reserve.Use(() => jobs.Renew(job, Lease, run.Progress))
                : jobs.Find(job.Kind, job.Subject)?.Owner == server.Id;
        }
        catch (SqliteException e)
        {
            LogCatalogue(e); // a busy catalogue or a full disk must not end what frees space
            return true;
        }
    }

    [LoggerMessage(LogLevel.Warning, "The job {Name} failed; it is tried again in {Seconds} s")]
    private partial void LogFailed(Exception e, string name, long seconds);

    [LoggerMessage(LogLevel.Information, "The job {Name} was cancelled")]
    private partial void LogCancelled(string name);

    [LoggerMessage(LogLevel.Error, "The catalogue's jobs cannot be read or written now")]
    private partial void LogCatalogue(Exception e);
}
