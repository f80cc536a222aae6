using System.CommandLine;
using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary>
/// <c>zfs-server jobs …</c>: shows the server's own work, and lets it run or stop. The server may run meanwhile.
/// </summary>
internal static class JobCommands
{
    public static CommandWithExamples Create() =>
        new("jobs", "Show what the server does by itself: deletions, expiry and clean-up; run or stop it.")
        {
            CreateList(),
            CreateOne("show", "Show one job.", (jobs, kind, subject) => jobs.Find(kind, subject)),
            CreateOne(
                "run",
                "Let a job run now, also one that was cancelled or that pauses after a failure. A running server takes "
                    + "it up within seconds.",
                (jobs, kind, subject) => jobs.Run(kind, subject)
            ),
            CreateOne("cancel", "Stop a job. It does not run again until 'jobs run'.", (jobs, kind, subject) =>
                jobs.Cancel(kind, subject)
            ),
        };

    private static CommandWithExamples CreateList()
    {
        var list = new CommandWithExamples(
            "list",
            "List all jobs.",
            "zfs-server jobs list",
            "zfs-server jobs list --json"
        );
        list.SetAction(parsed =>
        {
            using var services = BackupCommands.Open();
            var found = services.GetRequiredService<JobCatalogue>().List().Select(ListedJob.Of).ToList();
            Output
                .Of(parsed)
                .Results(found, JobCommandsJson.Default.ListedJob, text =>
                {
                    if (found.Count == 0)
                        text.WriteLine("No jobs: no server has run with this catalogue yet.");
                    else
                        Table.Write(text, ["Job", "State", "Next", "Ended", "Progress"], [.. found.Select(Row)]);
                });
        });
        return list;
    }

    private static CommandWithExamples CreateOne(
        string name,
        string description,
        Func<JobCatalogue, string, string, Job?> act
    )
    {
        var job = new Argument<string>("job")
        {
            Description = "The job, as 'jobs list' shows it: expire, delete/web1.",
        };
        var command = new CommandWithExamples(name, description, $"zfs-server jobs {name} delete/web1") { job };
        command.SetAction(parsed =>
        {
            using var services = BackupCommands.Open();
            var asked = parsed.GetRequiredValue(job);
            var (kind, subject) = Job.Parse(asked);
            var found = act(services.GetRequiredService<JobCatalogue>(), kind, subject)
                ?? throw new OperationException(
                    ExitCode.NotFound,
                    $"The job {asked} does not exist.",
                    "'zfs-server jobs list' shows all jobs."
                );
            var listed = ListedJob.Of(found);
            Output.Of(parsed).Result(listed, JobCommandsJson.Default.ListedJob, text => Write(text, listed));
        });
        return command;
    }

    private static string[] Row(ListedJob job) =>
        [
            job.Job,
            Describe(job),
            job.NotBefore is { } next ? Timestamps.ToSecond(next) : "",
            job.FinishedAt is { } ended ? Timestamps.ToSecond(ended) : "",
            job.Progress,
        ];

    private static string Describe(ListedJob job) =>
        job switch
        {
            { Error: null } => job.State,
            { Attempts: 0 } => $"{job.State}: {job.Error}",
            _ => $"{job.State}, failed {job.Attempts} times: {job.Error}",
        };

    private static void Write(TextWriter text, ListedJob job)
    {
        text.WriteLine($"Job:       {job.Job}");
        text.WriteLine($"State:     {Describe(job)}");
        if (job.NotBefore is { } next)
            text.WriteLine($"Next:      {Timestamps.ToSecond(next)}");
        if (job.FinishedAt is { } ended)
            text.WriteLine($"Ended:     {Timestamps.ToSecond(ended)}");
        if (job.Progress.Length > 0)
            text.WriteLine($"Progress:  {job.Progress}");
    }
}

/// <summary>A job as shown to an administrator.</summary>
internal sealed record ListedJob
{
    /// <summary>Its name in commands.</summary>
    public required string Job { get; init; }

    public required string Kind { get; init; }

    /// <summary>What it works on: a client; empty if the kind has one job only.</summary>
    public required string Subject { get; init; }

    public required string State { get; init; }

    /// <summary>The server process that runs it; null if none does.</summary>
    public required string? Owner { get; init; }

    public required DateTimeOffset? LeaseUntil { get; init; }

    /// <summary>When it runs next; null if it runs, or if nothing is to be done.</summary>
    public required DateTimeOffset? NotBefore { get; init; }

    /// <summary>How often it failed in a row.</summary>
    public required int Attempts { get; init; }

    public required string Progress { get; init; }

    public required string? Error { get; init; }

    public required DateTimeOffset? FinishedAt { get; init; }

    public static ListedJob Of(Job job) =>
        new()
        {
            Job = job.Name,
            Kind = job.Kind,
            Subject = job.Subject,
            State = job.State,
            Owner = job.Owner,
            LeaseUntil = job.LeaseUntil,
            NotBefore = job.State == JobStates.Waiting ? job.NotBefore : null,
            Attempts = job.Attempts,
            Progress = job.Progress,
            Error = job.Error,
            FinishedAt = job.FinishedAt,
        };
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(ListedJob))]
internal sealed partial class JobCommandsJson : JsonSerializerContext;
