using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>verify</c>: reads backups from the server and verifies them, without ZFS.</summary>
internal static class VerifyCommand
{
    public static CommandWithExamples Create()
    {
        var which = new Argument<string>("backup")
        {
            Description = "Number or snapshot ID of the backup in 'zfs-restore list', dataset@snapshot, or all.",
            DefaultValueFactory = _ => "all",
        };
        var verb = new CommandWithExamples(
            "verify",
            "Read backups from the server and check every record, and that the backups they depend on exist. Does not "
                + "need ZFS.",
            "zfs-restore verify 1",
            "zfs-restore verify tank/home@zsm-manual-2026-02-13_14:30:00Z",
            "zfs-restore verify all --json"
        )
        {
            which,
            RestoreSession.VerboseOption,
        };
        verb.SetAction(
            (parsed, cancellationToken) => RunAsync(parsed, parsed.GetRequiredValue(which), cancellationToken)
        );
        return verb;
    }

    private static async Task<int> RunAsync(ParseResult parsed, string which, CancellationToken cancellationToken)
    {
        using var session = RestoreSession.Open(parsed);
        var list = await BackupList.FetchAsync(session, cancellationToken);
        var backups = which == "all" ? list.Backups : [list.Find(which)];
        List<VerifiedBackup> results = [];
        foreach (var backup in backups)
        {
            var result = await VerifyAsync(session, list, backup, cancellationToken);
            results.Add(result);
            if (!session.Output.Json)
                Console.WriteLine(
                    $"{list.NumberOf(backup)}  {backup.SnapshotId}: "
                        + $"{(result.Fault is null ? $"ok, {result.Records} records" : $"DAMAGED: {result.Fault}")}"
                );
        }

        var damaged = results.Count(r => !r.Ok);
        session.Output.Result(results, RestoreJson.Default.ListVerifiedBackup, text =>
            text.WriteLine(
                damaged == 0
                    ? $"{results.Count} of {results.Count} are complete and valid."
                    : $"{damaged} of {results.Count} are damaged."
            )
        );
        return (int)(damaged == 0 ? ExitCode.Success : ExitCode.Damaged);
    }

    private static async Task<VerifiedBackup> VerifyAsync(
        RestoreSession session,
        BackupList list,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        try
        {
            list.ChainOf(backup);
            var stored = await StoredBackup.OpenAsync(session, backup, null, cancellationToken);
            var facts = await TransferProgress.RunAsync(backup.SnapshotId, backup.SizeBytes, session.Output, progress =>
                stored.ReadAsync(null, null, progress, cancellationToken)
            );
            return new VerifiedBackup
            {
                SnapshotId = backup.SnapshotId,
                Ok = true,
                Records = facts.RecordCount,
            };
        }
        catch (OperationException e) when (e.ExitCode == ExitCode.Damaged)
        {
            return new VerifiedBackup
            {
                SnapshotId = backup.SnapshotId,
                Ok = false,
                Fault = e.Message,
            };
        }
    }
}
