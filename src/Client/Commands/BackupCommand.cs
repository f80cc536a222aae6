using System.CommandLine;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Rotation;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary>
/// <c>backup</c>, <c>backup-full</c> and <c>backup-incremental</c>: one command with three ways to choose the base.
/// </summary>
internal static class BackupCommand
{
    public const string NotDone = "is not backed up";

    public static CommandWithExamples Create(string name, BackupMode mode, string description)
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "Show what would be sent and why. Change nothing." };
        var noResume = new Option<bool>("--no-resume")
        {
            Description = "Discard an interrupted upload and start over.",
        };
        var takeOver = new Option<bool>("--take-over")
        {
            Description = "This machine replaces the one that the dataset's backups come from: continue them here.",
        };
        var verbose = new Option<bool>("--verbose") { Description = "Print details about compression and transfer." };
        var verb = new CommandWithExamples(
            name,
            description,
            $"zfs-client {name}",
            $"zfs-client {name} --dataset tank/home",
            $"zfs-client {name} --recursive --exclude tank/scratch",
            $"zfs-client {name} --dry-run --json"
        )
        {
            dryRun,
            noResume,
            takeOver,
            verbose,
            ProgramRunner.QuietOption,
        };
        DatasetOptions.AddTo(verb);
        verb.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(
                    parsed,
                    new BackupOptions(
                        mode,
                        parsed.GetValue(dryRun),
                        !parsed.GetValue(noResume),
                        parsed.GetValue(verbose),
                        TakesOver: parsed.GetValue(takeOver)
                    ),
                    cancellationToken
                )
        );
        return verb;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed,
        BackupOptions options,
        CancellationToken cancellationToken
    )
    {
        var output = Output.Of(parsed);
        var settings = ClientSettings.Read(DatasetOptions.Read(parsed));
        using var server = new ApiClient(settings.Server);
        var selected = await settings.Selection.ListAsync(settings.Zfs, cancellationToken);
        var run = new BackupRun(settings, server, output, options, TimeProvider.System);
        var backup = new BackupSet(run);
        var set = await backup.RunAsync(selected, cancellationToken);
        if (!options.DryRun)
            await TidyAsync(run, backup.Inventory, set, cancellationToken);
        WarnOf(output, set.Failures, NotDone);
        output.Results(
            set.Results,
            ClientJson.Default.BackupResult,
            text => Write(text, set, settings.Selection.IsSingle),
            set.Success,
            set.Failures.Select(failure => failure.Json)
        );
        return (int)set.ExitCode;
    }

    /// <summary>
    /// Keeps a backup that runs every hour from filling the pool with its snapshots. The backups are stored by then:
    /// whatever prevents this, be it Ctrl-C, is a warning, and what was stored is reported.
    /// </summary>
    private static async Task TidyAsync(
        BackupRun run,
        ServerInventory inventory,
        BackupSetResult set,
        CancellationToken cancellationToken
    )
    {
        DatasetName[] datasets = [.. set.Results.Select(result => SnapshotName.Parse(result.Snapshot).Dataset)];
        var local = new LocalSnapshots(run.Settings.Zfs, datasets, run.Time);
        var rotation = new LocalRotationRun(run.Settings, run.Server, run.Output, local, inventory, null);
        foreach (var dataset in datasets)
        {
            try
            {
                await rotation.TidyAsync(dataset, cancellationToken);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                var reason = e is OperationCanceledException ? "the run was told to stop." : e.Message;
                run.Output.Warn(
                    $"The backup of {dataset} is stored, but older snapshots stay for the next run: {reason}"
                );
                if (FailureKinds.Of(e) is not (FailureKind.Dataset or FailureKind.Stream))
                    return; // the server or the other machine is away: it would be the same for the others
            }
        }
    }

    private static void Write(TextWriter text, BackupSetResult set, bool isSingle)
    {
        foreach (var result in set.Results)
            Write(text, result);
        if (isSingle)
            return;
        text.WriteLine(
            $"{(set.DryRun ? "Would back up" : "Backed up")} {set.Results.Count} of "
                + $"{set.Results.Count + set.Failures.Count} datasets."
        );
    }

    public static void Write(TextWriter text, BackupResult result)
    {
        var from = result.Base is null ? "" : $" from {result.Base}";
        if (result.Backup is not { } backup)
        {
            text.WriteLine($"Would send {result.Snapshot}: {result.Kind}{from}.");
            return;
        }

        if (result.Resumed is { } resumed)
            text.WriteLine(
                $"Finished {resumed.Snapshot}, which was interrupted after {ByteSize.Format(resumed.FromBytes)} of "
                    + $"its stream: stored as {resumed.Backup.SnapshotId}."
            );
        text.WriteLine(
            $"Backed up {result.Snapshot}: {result.Kind}{from}, {ByteSize.Format(backup.StreamBytes)}, stored as "
                + $"{ByteSize.Format(backup.SizeBytes)}."
        );
        text.WriteLine($"Verified and stored as {backup.SnapshotId}.");
    }

    /// <summary>Names on standard error the datasets on which the work was not done.</summary>
    public static void WarnOf(Output output, IEnumerable<DatasetFailure> failures, string notDone)
    {
        foreach (var failure in failures)
            output.WarnOfFailure($"{failure.Dataset} {notDone}: {failure.Message} {failure.Remedy}".TrimEnd());
    }
}
