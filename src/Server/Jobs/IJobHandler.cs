namespace ZfsSnapshotManager.Server.Jobs;

/// <summary>Does the jobs of one kind.</summary>
internal interface IJobHandler
{
    /// <summary>One of <see cref="Catalogue.JobKinds"/>.</summary>
    string Kind { get; }

    /// <summary>How often the kind's only job runs; null: each job runs when it is asked for.</summary>
    TimeSpan? Interval { get; }

    /// <summary>
    /// Does all that is to be done now. May be called again at any time, also after a crash in the middle.
    /// </summary>
    /// <exception cref="Exception">It failed; it is tried again later.</exception>
    Task RunAsync(JobRun run, CancellationToken cancellationToken);
}

/// <summary>One run of a job.</summary>
/// <param name="Subject">What it works on.</param>
internal sealed record JobRun(string Subject)
{
    /// <summary>How far it is, human-readable.</summary>
    public string Progress { get; set; } = "";

    /// <summary>
    /// Why a part of the work has to wait, without a failure that anybody could end: the job runs again in an hour.
    /// Null if nothing has to.
    /// </summary>
    public string? Postponed { get; set; }
}
