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
            ProgramRunner.QuietOption,
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
        var verification = new BackupVerification(
            list,
            backup => ReadAsync(session, backup, cancellationToken),
            () => ListAgainAsync(session, cancellationToken)
        );
        List<VerifiedBackup> results = [];
        try
        {
            foreach (var backup in backups)
            {
                var result = await verification.RunAsync(backup);
                results.Add(result);
                if (session.Output.ShowsProgress || (!session.Output.Json && !result.Ok))
                    Console.WriteLine($"{list.NumberOf(backup)}  {backup.SnapshotId}: {result.Describe()}");
            }
        }
        catch (Exception e) when (!session.Output.Json && results.Count > 0 && e is not OutOfMemoryException)
        {
            Console.WriteLine($"{Summarize(results)} {backups.Count - results.Count} were not verified.");
            throw;
        }
        catch (OperationException e) when (session.Output.Json && results.Count > 0)
        {
            // What was found out may be the work of days.
            session.Output.Results(
                results,
                RestoreJson.Default.VerifiedBackup,
                _ => { },
                success: false,
                [
                    new CommandFailure
                    {
                        Message = $"{e.Message} {backups.Count - results.Count} backups were not verified.",
                        Code = CommandFailure.CodeOf(e, e.ExitCode),
                        Remedy = e.Remedy,
                    },
                ]
            );
            return (int)e.ExitCode;
        }

        session.Output.Results(
            results,
            RestoreJson.Default.VerifiedBackup,
            text => text.WriteLine(Summarize(results)),
            success: results.TrueForAll(result => result.Ok)
        );
        var worst = results.Find(r => r.State == VerifiedState.Damaged) ?? results.Find(r => !r.Ok);
        return (int)(worst?.ExitCode ?? ExitCode.Success);
    }

    private static async Task<long> ReadAsync(
        RestoreSession session,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        var stored = await StoredBackup.OpenAsync(session, backup, null, cancellationToken);
        var facts = await TransferProgress.RunAsync(backup.SnapshotId, backup.SizeBytes, session.Output, progress =>
            stored.ReadAsync(null, null, progress, cancellationToken)
        );
        return facts.RecordCount;
    }

    private static async Task<IReadOnlySet<string>> ListAgainAsync(
        RestoreSession session,
        CancellationToken cancellationToken
    )
    {
        // Without retries: it is asked when the server has failed, or has just answered.
        var list = await BackupList.FetchNowAsync(session.Server, cancellationToken);
        return list.Backups.Select(backup => backup.SnapshotId).ToHashSet(StringComparer.Ordinal);
    }

    private static string Summarize(List<VerifiedBackup> results)
    {
        var counts = results.CountBy(result => result.State).ToDictionary();
        var valid = counts.GetValueOrDefault(VerifiedState.Valid);
        var text = $"{valid} of {results.Count} are complete and valid";
        foreach (
            var (state, words) in new[]
            {
                (VerifiedState.Damaged, "damaged"),
                (VerifiedState.Failed, "not readable now"),
                (VerifiedState.Deleted, "deleted meanwhile"),
            }
        )
        {
            if (counts.GetValueOrDefault(state) is > 0 and var count)
                text += $", {count} {words}";
        }

        return text + ".";
    }
}
