using System.CommandLine;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Rotation;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>snapshot</c>: takes a typed snapshot, sends it if asked to, then rotates the local snapshots.</summary>
internal static class SnapshotCommand
{
    private const string NotDone = "gets no snapshot";

    public static CommandWithExamples Create()
    {
        var type = new Argument<string>("type")
        {
            Description = "Class of the snapshot: hourly, daily, weekly or monthly.",
        };
        type.AcceptOnlyFromAmong([.. SnapshotTypes.Classes.Select(SnapshotTypes.ToText)]);
        var send = new Option<bool>("--send") { Description = "Also back up the snapshot, as 'backup' does." };
        var dryRun = new Option<bool>("--dry-run")
        {
            Description = "Show what would be created, sent and destroyed. Change nothing.",
        };
        var verb = new CommandWithExamples(
            "snapshot",
            "Take an hourly, daily, weekly or monthly snapshot and destroy the snapshots that the rotation policy "
                + "no longer keeps.",
            "zfs-client snapshot hourly",
            "zfs-client snapshot daily --send",
            "zfs-client snapshot weekly --dry-run --json",
            "zfs-client snapshot daily --recursive --send"
        )
        {
            type,
            send,
            dryRun,
            ProgramRunner.QuietOption,
        };
        DatasetOptions.AddTo(verb);
        verb.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(
                    parsed,
                    SnapshotTypes.TryParse(parsed.GetRequiredValue(type))!.Value,
                    parsed.GetValue(send),
                    parsed.GetValue(dryRun),
                    cancellationToken
                )
        );
        return verb;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed,
        SnapshotType type,
        bool send,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        var output = Output.Of(parsed);
        var settings = ClientSettings.Read(DatasetOptions.Read(parsed));
        using var server = new ApiClient(settings.Server);
        var selected = await settings.Selection.ListAsync(settings.Zfs, cancellationToken);

        BackupSetResult? backups = null;
        OperationException? notSent = null;
        List<string> snapshots;
        IReadOnlyList<DatasetFailure> failures;
        if (send)
        {
            var options = new BackupOptions(BackupMode.Automatic, dryRun, MayResume: true, Verbose: false, type);
            var run = new BackupRun(settings, server, output, options, TimeProvider.System);
            (snapshots, backups, notSent) = await SendAsync(new BackupSet(run), selected, dryRun, cancellationToken);
            failures = [];
        }
        else
        {
            (snapshots, failures) = await CreateAsync(settings, output, selected, type, dryRun, cancellationToken);
        }

        List<LocalRotationResult> rotations;
        OperationException? serverFailure;
        try
        {
            (rotations, serverFailure) = await RotateCommand.RunAsync(
                settings,
                server,
                output,
                selected with
                {
                    Failures = [],
                },
                notSent is not null && LocalRotationRun.IsOfServer(notSent) ? notSent : null,
                dryRun,
                cancellationToken
            );
        }
        catch (OperationCanceledException) when (!dryRun)
        {
            output.Warn(RotationWithoutServer.DescribeStopped(snapshots, backups?.Results.Count ?? 0));
            throw;
        }

        BackupCommand.WarnOf(output, backups?.Failures ?? [], BackupCommand.NotDone);
        BackupCommand.WarnOf(output, failures, NotDone);
        RotateCommand.Warn(output, rotations);
        var incomplete = Explain(notSent, serverFailure, rotations, dryRun, snapshots);
        var result = new SnapshotSetResult
        {
            DryRun = dryRun,
            Snapshots = snapshots,
            Failures = failures,
            Backups = backups,
            Rotations = rotations,
        };
        output.Results(
            result.ByDataset(),
            ClientJson.Default.SnapshotResult,
            text => Write(text, result),
            incomplete is null && result.Success,
            result.AllFailures().Concat(RotationWithoutServer.FailuresOf(incomplete))
        );
        if (incomplete is not null)
            return output.Json ? (int)incomplete.ExitCode : throw incomplete;
        if (failures.Count > 0)
            return (int)failures[0].ExitCode;
        return backups is { Success: false } ? (int)backups.ExitCode : RotateCommand.ExitCodeOf(rotations);
    }

    private static OperationException? Explain(
        OperationException? notSent,
        OperationException? serverFailure,
        List<LocalRotationResult> rotations,
        bool dryRun,
        List<string> snapshots
    )
    {
        if (notSent is not null)
            return RotationWithoutServer.ExplainNotSent(notSent, snapshots);
        if (serverFailure is not null)
            return RotationWithoutServer.Explain(serverFailure, rotations, dryRun ? null : snapshots);
        return null;
    }

    /// <summary>Needs no server, so that a machine without a connection still takes its snapshots.</summary>
    private static async Task<(List<string> Snapshots, IReadOnlyList<DatasetFailure> Failures)> CreateAsync(
        ClientSettings settings,
        Output output,
        SelectedDatasets selected,
        SnapshotType type,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        var failures = new DatasetFailures(settings.Selection, output, NotDone);
        var datasets = failures.Take(selected);
        var chosen = new SnapshotNames(settings, TimeProvider.System);
        var leaf = await chosen.ChooseAsync(datasets, type, cancellationToken);
        datasets = failures.Without(datasets, dataset => DatasetCheck.FindObstacleToSnapshot(dataset, leaf));
        IEnumerable<SnapshotName> names = [.. datasets.Select(dataset => SnapshotName.Snapshot(dataset.Name, leaf))];
        if (!dryRun)
        {
            var made = await settings.Zfs.CreateSnapshotsAsync(names, type, upload: null, cancellationToken);
            SnapshotLifecycle.WarnOfMoments(output, made);
            foreach (var (dataset, failure) in made.Failures)
                failures.Add(dataset, failure);
            names = made.Created.Select(snapshot => snapshot.Name);
        }

        return ([.. names.Select(name => name.ToString())], failures.All);
    }

    /// <summary>Takes the snapshots, then sends them: that they exist depends on nothing but this machine.</summary>
    /// <returns>The snapshots, their backups, and why the run ended early; null if it did not.</returns>
    private static async Task<(
        List<string> Snapshots,
        BackupSetResult? Backups,
        OperationException? NotSent
    )> SendAsync(BackupSet set, SelectedDatasets selected, bool dryRun, CancellationToken cancellationToken)
    {
        if (dryRun)
        {
            var planned = await set.RunAsync(selected, cancellationToken);
            return ([.. planned.Results.Select(backup => backup.Snapshot)], planned, null);
        }

        var taken = await set.TakeAsync(selected, cancellationToken);
        List<string> snapshots = [.. taken.Select(snapshot => snapshot.ToString())];
        try
        {
            return (snapshots, await set.SendAsync(cancellationToken), null);
        }
        catch (OperationException e) when (!cancellationToken.IsCancellationRequested)
        {
            return (snapshots, null, e);
        }
    }

    private static void Write(TextWriter text, SnapshotSetResult result)
    {
        foreach (var snapshot in result.Snapshots)
            text.WriteLine($"{(result.DryRun ? "Would create" : "Created")} {snapshot}.");
        foreach (var backup in result.Backups?.Results ?? [])
            BackupCommand.Write(text, backup);
        foreach (var rotation in result.Rotations)
            RotateCommand.Write(text, rotation);
    }
}
