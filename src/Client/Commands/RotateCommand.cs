using System.CommandLine;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Rotation;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>rotate</c>: destroys the local snapshots that the policy does not keep.</summary>
internal static class RotateCommand
{
    private const string NotDone = "is not rotated";

    public static CommandWithExamples Create()
    {
        var dryRun = new Option<bool>("--dry-run")
        {
            Description = "Show for each snapshot whether it is kept and why. Change nothing.",
        };
        var verb = new CommandWithExamples(
            "rotate",
            "Destroy the local snapshots that the rotation policy does not keep. Only snapshots made by "
                + "'zfs-client snapshot' and 'zfs-client backup' are affected.",
            "zfs-client rotate --dry-run",
            "zfs-client rotate",
            "zfs-client rotate --dataset tank/home --json",
            "zfs-client rotate --recursive"
        )
        {
            dryRun,
            ProgramRunner.QuietOption,
        };
        DatasetOptions.AddTo(verb);
        verb.SetAction(
            async (parsed, cancellationToken) =>
            {
                var output = Output.Of(parsed);
                var settings = ClientSettings.Read(DatasetOptions.Read(parsed));
                using var server = new ApiClient(settings.Server);
                var selected = await settings.Selection.ListAsync(settings.Zfs, cancellationToken);
                selected.NoteLeftOut(output);
                var (results, failure) = await RunAsync(
                    settings,
                    server,
                    output,
                    selected,
                    null,
                    parsed.GetValue(dryRun),
                    cancellationToken
                );
                Warn(output, results);
                var incomplete = failure is null
                    ? null
                    : RotationWithoutServer.Explain(failure, results, created: null);
                if (incomplete is not null && results.Count == 0)
                    throw incomplete;
                output.Results(
                    results.Where(result => result.Message is null),
                    ClientJson.Default.LocalRotationResult,
                    text => results.ForEach(result => Write(text, result)),
                    incomplete is null && results.All(result => result.Success),
                    LocalRotationResult.FailuresOf(results).Concat(RotationWithoutServer.FailuresOf(incomplete))
                );
                if (incomplete is null)
                    return ExitCodeOf(results);
                return output.Json ? (int)incomplete.ExitCode : throw incomplete;
            }
        );
        return verb;
    }

    /// <param name="serverFailure">Why the server need not be asked; null if nothing is known.</param>
    /// <returns>What was done, and why the server could not be asked; null if it was.</returns>
    public static async Task<(List<LocalRotationResult> Results, OperationException? ServerFailure)> RunAsync(
        ClientSettings settings,
        ApiClient server,
        Output output,
        SelectedDatasets selected,
        OperationException? serverFailure,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        DatasetName[] datasets = [.. selected.Datasets.Select(dataset => dataset.Name)];
        var local = new LocalSnapshots(settings.Zfs, datasets, TimeProvider.System);
        var inventory = new ServerInventory(
            server,
            settings,
            takesOver: false,
            LocalRotationRun.CreateRetry(settings, output),
            TimeProvider.System
        );
        var rotation = new LocalRotationRun(settings, server, output, local, inventory, serverFailure);
        var failures = new DatasetFailures(settings.Selection, output, NotDone);
        failures.Take(selected with { LeftOut = [] });
        List<LocalRotationResult> results = [];
        foreach (var dataset in datasets)
        {
            try
            {
                if (await rotation.RunAsync(dataset, dryRun, cancellationToken) is { } result)
                    results.Add(result);
            }
            catch (Exception e) when (failures.Spares(e))
            {
                failures.Add(dataset, e);
            }
        }

        foreach (var failure in failures.All)
            results.Add(await rotation.DescribeAsync(failure, dryRun, cancellationToken));
        return (results, rotation.ServerFailure);
    }

    /// <summary>Names on standard error the datasets that were not rotated, and the snapshots that stay.</summary>
    public static void Warn(Output output, IEnumerable<LocalRotationResult> results)
    {
        foreach (var result in results)
        {
            if (result.Message is not null)
                output.WarnOfFailure($"{result.Dataset} {NotDone}: {result.Message} {result.Remedy}".TrimEnd());
            foreach (var failed in result.Decisions.Where(item => item.Action == LocalRotationItem.Failed))
                output.Warn($"{failed.Name} could not be destroyed: {failed.Reason}");
        }
    }

    public static void Write(TextWriter text, LocalRotationResult result)
    {
        if (result.Message is not null)
            return;
        if (result.DryRun)
            Table.Write(
                text,
                ["Snapshot", "Action", "Reason"],
                [.. result.Decisions.Select(item => new[] { item.Name, item.Action, item.Reason })]
            );
        var whose = result.ServerManaged ? "the server's policy" : "this client's policy";
        text.WriteLine(
            $"{result.Dataset}: {(result.DryRun ? "would destroy" : "destroyed")} {result.Count("destroy")} of "
                + $"{result.Decisions.Count} snapshots and bookmarks, by {whose} ({result.RotationPolicy}) and "
                + $"KEEP_MANUAL={result.KeepManual} for those of 'zfs-client backup'."
        );
    }

    public static int ExitCodeOf(IEnumerable<LocalRotationResult> results) =>
        (int)(results.FirstOrDefault(result => !result.Success)?.ExitCode ?? ExitCode.Success);
}
