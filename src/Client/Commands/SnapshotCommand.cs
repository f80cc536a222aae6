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
        var output = new Output(parsed.GetValue(ProgramRunner.JsonOption));
        var settings = ClientSettings.Read(DatasetOptions.Read(parsed));
        using var server = new ApiClient(settings.Server);
        var datasets = await settings.Selection.ListAsync(settings.Zfs, cancellationToken);

        BackupSetResult? backups = null;
        List<string> snapshots;
        if (send)
        {
            var options = new BackupOptions(BackupMode.Automatic, dryRun, MayResume: true, Verbose: false, type);
            var set = new BackupSet(settings, server, output, options, TimeProvider.System);
            backups = await set.RunAsync(cancellationToken);
            snapshots = [.. backups.Results.Select(backup => backup.Snapshot)];
        }
        else
        {
            snapshots = await CreateAsync(settings, datasets, type, dryRun, cancellationToken);
        }

        var rotations = await RotateAsync(settings, server, output, datasets, snapshots, dryRun, cancellationToken);
        var result = new SnapshotSetResult
        {
            DryRun = dryRun,
            Snapshots = snapshots,
            Backups = backups,
            Rotations = rotations,
        };
        if (settings.Selection.IsSingle)
            output.Result(result.Single(), ClientJson.Default.SnapshotResult, text => Write(output, text, result));
        else
            output.Result(result, ClientJson.Default.SnapshotSetResult, text => Write(output, text, result));

        return backups is { Success: false } ? (int)backups.ExitCode : RotateCommand.ExitCodeOf(rotations);
    }

    /// <summary>Needs no server, so that a machine without a connection still takes its snapshots.</summary>
    private static async Task<List<string>> CreateAsync(
        ClientSettings settings,
        IReadOnlyList<DatasetFacts> datasets,
        SnapshotType type,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        List<SnapshotName> existing = [];
        foreach (var dataset in datasets)
        {
            var snapshots = await settings.Zfs.ListSnapshotsAsync(dataset.Name, cancellationToken);
            existing.AddRange(snapshots.Select(snapshot => snapshot.Name));
        }

        var names = SnapshotNaming.Choose(
            datasets.Select(dataset => dataset.Name),
            settings.SnapshotPrefix,
            type,
            TimeProvider.System.GetUtcNow(),
            existing
        );
        if (!dryRun)
        {
            foreach (var pool in names.GroupBy(name => name.Dataset.Pool, StringComparer.Ordinal))
                await settings.Zfs.CreateSnapshotsAsync([.. pool], type, upload: null, cancellationToken);
        }

        return [.. names.Select(name => name.ToString())];
    }

    private static async Task<List<LocalRotationResult>> RotateAsync(
        ClientSettings settings,
        ApiClient server,
        Output output,
        IReadOnlyList<DatasetFacts> datasets,
        List<string> snapshots,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await RotateCommand.RunAsync(settings, server, output, datasets, dryRun, cancellationToken);
        }
        catch (OperationException e) when (!dryRun && e.ExitCode is ExitCode.Unreachable or ExitCode.ServerFailed)
        {
            var made = snapshots is [var one] ? $"{one} was created" : $"{snapshots.Count} snapshots were created";
            throw new OperationException(
                e.ExitCode,
                $"{made}, but nothing was rotated: {e.Message}",
                "Only the server knows the policy and the base of the next incremental backup. Run 'zfs-client "
                    + "rotate' when it is reachable again.",
                e
            );
        }
    }

    private static void Write(Output output, TextWriter text, SnapshotSetResult result)
    {
        foreach (var snapshot in result.Snapshots)
            text.WriteLine($"{(result.DryRun ? "Would create" : "Created")} {snapshot}.");
        foreach (var backup in result.Backups?.Results ?? [])
            BackupCommand.Write(text, backup);
        BackupCommand.WarnOf(output, result.Backups?.Failures ?? []);
        foreach (var rotation in result.Rotations)
            RotateCommand.Write(output, text, rotation);
    }
}
