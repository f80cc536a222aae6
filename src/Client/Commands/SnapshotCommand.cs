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

/// <summary><c>snapshot</c>: a typed snapshot, sent on wish, and then the rotation on this machine.</summary>
internal static class SnapshotCommand
{
    public static Verb Create()
    {
        var type = new Argument<string>("type") { Description = "hourly, daily, weekly or monthly." };
        type.AcceptOnlyFromAmong([.. SnapshotTypes.Classes.Select(SnapshotTypes.ToText)]);
        var send = new Option<bool>("--send") { Description = "Back it up as well, as 'backup' does." };
        var dryRun = new Option<bool>("--dry-run")
        {
            Description = "Show what would be made, sent and destroyed; change nothing.",
        };
        var verb = new Verb(
            "snapshot",
            "Take an hourly, daily, weekly or monthly snapshot, and destroy the older ones of its kind that the "
                + "rotation policy no longer keeps.",
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
        SelectionOptions.AddTo(verb);
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
        var settings = ClientSettings.Read(SelectionOptions.Read(parsed));
        using var server = new ApiClient(settings.Server);
        var datasets = await settings.Selection.ListAsync(settings.Zfs, cancellationToken);
        var backups = send
            ? await new BackupSet(
                settings,
                server,
                output,
                new BackupOptions(BackupMode.Automatic, dryRun, MayResume: true, Verbose: false, type),
                TimeProvider.System
            ).RunAsync(cancellationToken)
            : null;
        var snapshots = backups?.Results.Select(backup => backup.Snapshot).ToList()
            ?? await MakeAsync(settings, datasets, type, dryRun, cancellationToken);
        var rotations = await RotateAsync(settings, server, output, datasets, snapshots, dryRun, cancellationToken);
        if (settings.Selection.IsSingle)
        {
            var result = new SnapshotResult
            {
                DryRun = dryRun,
                Snapshot = snapshots.Single(),
                Backup = backups?.Results.Single(),
                Rotation = rotations.Single(),
            };
            output.Result(result, ClientJson.Default.SnapshotResult, text =>
                Write(text, dryRun, snapshots, backups, rotations)
            );
        }
        else
        {
            var result = new SnapshotSetResult
            {
                DryRun = dryRun,
                Snapshots = snapshots,
                Backups = backups,
                Rotations = rotations,
            };
            output.Result(result, ClientJson.Default.SnapshotSetResult, text =>
                Write(text, dryRun, snapshots, backups, rotations)
            );
        }

        return backups is { Success: false } ? (int)backups.ExitCode : RotateCommand.ExitCodeOf(rotations);
    }

    /// <summary>Needs no server: a machine that is cut off takes its snapshots all the same.</summary>
    private static async Task<List<string>> MakeAsync(
        ClientSettings settings,
        IReadOnlyList<DatasetFacts> datasets,
        SnapshotType type,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        List<SnapshotName> taken = [];
        foreach (var dataset in datasets)
            taken.AddRange(
                (await settings.Zfs.ListSnapshotsAsync(dataset.Name, cancellationToken)).Select(snapshot =>
                    snapshot.Name
                )
            );
        var names = SnapshotNaming.Choose(
            datasets.Select(dataset => dataset.Name),
            settings.SnapshotPrefix,
            type,
            TimeProvider.System.GetUtcNow(),
            taken
        );
        foreach (var pool in names.Where(_ => !dryRun).GroupBy(name => name.Dataset.Pool, StringComparer.Ordinal))
            await settings.Zfs.CreateSnapshotsAsync([.. pool], type, upload: null, cancellationToken);
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
            var made = snapshots is [var one] ? $"{one} was made" : $"{snapshots.Count} snapshots were made";
            throw new OperationException(
                e.ExitCode,
                $"{made}, but nothing was rotated: {e.Message}",
                "What to keep, and what the next incremental backup starts from, only the server can say. Run "
                    + "'zfs-client rotate' when it answers again.",
                e
            );
        }
    }

    private static void Write(
        TextWriter text,
        bool dryRun,
        List<string> snapshots,
        BackupSetResult? backups,
        List<LocalRotationResult> rotations
    )
    {
        foreach (var snapshot in snapshots)
            text.WriteLine($"{(dryRun ? "Would make" : "Made")} {snapshot}.");
        foreach (var backup in backups?.Results ?? [])
            BackupCommand.Write(text, backup);
        DatasetFailures.Write(backups?.Failures ?? []);
        foreach (var rotation in rotations)
            RotateCommand.Write(text, rotation);
    }
}
