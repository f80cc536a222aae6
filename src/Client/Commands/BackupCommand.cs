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
        var verb = new Verb(name, description, $"zfs-client {name}", $"zfs-client {name} --dataset tank/home", $"zfs-client {name} --dry-run --json") { DatasetOption.Instance, dryRun };
        verb.SetAction((parsed, cancellationToken) => RunAsync(mode, parsed, parsed.GetValue(dryRun), cancellationToken));
        return verb;
    }

    private static async Task RunAsync(BackupMode mode, ParseResult parsed, bool dryRun, CancellationToken cancellationToken)
    {
        var output = new Output(parsed.GetValue(ProgramRunner.JsonOption));
        var settings = ClientSettings.Read(parsed.GetValue(DatasetOption.Instance));
        using var server = new ApiClient(settings.Server);
        var result = await new BackupRun(settings, server, output, TimeProvider.System).RunAsync(mode, dryRun, cancellationToken).ConfigureAwait(false);
        output.Result(result, ClientJson.Default.BackupResult, text => Write(text, result));
    }

    private static void Write(TextWriter text, BackupResult result)
    {
        var from = result.Base is null ? "" : $" from {result.Base}";
        if (result.Backup is not { } backup)
        {
            text.WriteLine($"Would send {result.Snapshot}: {result.Kind}{from}.");
            return;
        }

        text.WriteLine($"Backed up {result.Snapshot}: {result.Kind}{from}, {ByteSize.Format(backup.StreamBytes)}, stored as {ByteSize.Format(backup.SizeBytes)}.");
        text.WriteLine($"Verified and stored as {backup.SnapshotId}.");
    }
}
