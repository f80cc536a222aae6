using System.CommandLine;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Rotation;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;
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
        var dryRun = new Option<bool>("--dry-run") { Description = "Show what would be made, sent and destroyed; change nothing." };
        var verb = new Verb(
            "snapshot",
            "Take an hourly, daily, weekly or monthly snapshot, and destroy the older ones of its kind that the rotation policy no longer keeps.",
            "zfs-client snapshot hourly",
            "zfs-client snapshot daily --send",
            "zfs-client snapshot weekly --dry-run --json")
        { type, DatasetOption.Instance, send, dryRun };
        verb.SetAction((parsed, cancellationToken) => RunAsync(parsed, SnapshotTypes.TryParse(parsed.GetRequiredValue(type))!.Value, parsed.GetValue(send), parsed.GetValue(dryRun), cancellationToken));
        return verb;
    }

    private static async Task<int> RunAsync(ParseResult parsed, SnapshotType type, bool send, bool dryRun, CancellationToken cancellationToken)
    {
        var output = new Output(parsed.GetValue(ProgramRunner.JsonOption));
        var settings = ClientSettings.Read(parsed.GetValue(DatasetOption.Instance));
        using var server = new ApiClient(settings.Server);
        var backup = send ? await new BackupRun(settings, server, output, new BackupOptions(BackupMode.Automatic, dryRun, MayResume: true, Verbose: false, type), TimeProvider.System).RunAsync(cancellationToken).ConfigureAwait(false) : null;
        var snapshot = backup?.Snapshot ?? (await MakeAsync(settings, type, dryRun, cancellationToken).ConfigureAwait(false)).ToString();
        var result = new SnapshotResult { DryRun = dryRun, Snapshot = snapshot, Backup = backup, Rotation = await RotateAsync(settings, server, output, snapshot, dryRun, cancellationToken).ConfigureAwait(false) };
        output.Result(result, ClientJson.Default.SnapshotResult, text => Write(text, result));
        return RotateCommand.ExitCodeOf(result.Rotation);
    }

    /// <summary>Needs no server: a machine that is cut off takes its snapshots all the same.</summary>
    private static async Task<SnapshotName> MakeAsync(ClientSettings settings, SnapshotType type, bool dryRun, CancellationToken cancellationToken)
    {
        var local = await ZfsDataset.ListSnapshotsAsync(settings.Dataset, cancellationToken).ConfigureAwait(false);
        var name = SnapshotNaming.Choose(settings.Dataset, settings.SnapshotPrefix, type, TimeProvider.System.GetUtcNow(), local.Select(snapshot => snapshot.Name));
        if (!dryRun) await ZfsDataset.CreateSnapshotAsync(name, type, upload: null, cancellationToken).ConfigureAwait(false);
        return name;
    }

    private static async Task<LocalRotationResult> RotateAsync(ClientSettings settings, ApiClient server, Output output, string snapshot, bool dryRun, CancellationToken cancellationToken)
    {
        try
        {
            return await new LocalRotationRun(settings, server, output).RunAsync(dryRun, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationException e) when (!dryRun && e.ExitCode is ExitCode.Unreachable or ExitCode.ServerFailed)
        {
            throw new OperationException(e.ExitCode, $"{snapshot} was made, but nothing was rotated: {e.Message}", "What to keep, and what the next incremental backup starts from, only the server can say. Run 'zfs-client rotate' when it answers again.", e);
        }
    }

    private static void Write(TextWriter text, SnapshotResult result)
    {
        text.WriteLine($"{(result.DryRun ? "Would make" : "Made")} {result.Snapshot}.");
        if (result.Backup is { } backup) BackupCommand.Write(text, backup);
        RotateCommand.Write(text, result.Rotation);
    }
}
