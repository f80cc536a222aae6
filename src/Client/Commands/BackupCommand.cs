using System.CommandLine;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>backup</c>, <c>backup-full</c> and <c>backup-incremental</c>: one command, three ways to choose the base.</summary>
internal static class BackupCommand
{
    public static Verb Create(string name, BackupMode mode, string description)
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "Show what would be sent, and why; change nothing." };
        var noResume = new Option<bool>("--no-resume") { Description = "Drop an upload that was interrupted, and start over." };
        var verbose = new Option<bool>("--verbose") { Description = "Tell how the stream is compressed and sent." };
        var verb = new Verb(name, description, $"zfs-client {name}", $"zfs-client {name} --dataset tank/home", $"zfs-client {name} --dry-run --json") { DatasetOption.Instance, dryRun, noResume, verbose };
        verb.SetAction((parsed, cancellationToken) =>
            RunAsync(parsed, new BackupOptions(mode, parsed.GetValue(dryRun), !parsed.GetValue(noResume), parsed.GetValue(verbose)), cancellationToken));
        return verb;
    }

    private static async Task RunAsync(ParseResult parsed, BackupOptions options, CancellationToken cancellationToken)
    {
        var output = new Output(parsed.GetValue(ProgramRunner.JsonOption));
        var settings = ClientSettings.Read(parsed.GetValue(DatasetOption.Instance));
        using var server = new ApiClient(settings.Server);
        var result = await new BackupRun(settings, server, output, options, TimeProvider.System).RunAsync(cancellationToken).ConfigureAwait(false);
        output.Result(result, ClientJson.Default.BackupResult, text => Write(text, result));
    }

    public static void Write(TextWriter text, BackupResult result)
    {
        var from = result.Base is null ? "" : $" from {result.Base}";
        if (result.Backup is not { } backup)
        {
            text.WriteLine($"Would send {result.Snapshot}: {result.Kind}{from}.");
            return;
        }

        if (result.Resumed is { } resumed) text.WriteLine($"Finished {resumed.Snapshot}, which was interrupted after {ByteSize.Format(resumed.FromBytes)} of its stream: stored as {resumed.Backup.SnapshotId}.");
        text.WriteLine($"Backed up {result.Snapshot}: {result.Kind}{from}, {ByteSize.Format(backup.StreamBytes)}, stored as {ByteSize.Format(backup.SizeBytes)}.");
        text.WriteLine($"Verified and stored as {backup.SnapshotId}.");
    }
}
