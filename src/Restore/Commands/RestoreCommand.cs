using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.RestoreChain;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>restore</c> and <c>latest</c>.</summary>
internal static class RestoreCommand
{
    public static Verb CreateRestore()
    {
        var number = NumberArgument();
        var (dataset, force, restart) = (DatasetArgument(), ForceOption(), RestartOption());
        var verb = new Verb("restore", "Restore a backup, with all that it builds on, into a dataset. Run again after an interruption, it goes on.", "zfs-restore restore 1 tank/restored", "zfs-restore restore 1 tank/restored --force") { number, dataset, force, restart, RestoreSession.VerboseOption };
        verb.SetAction((parsed, cancellationToken) => RunAsync(parsed, list => list.Get(parsed.GetRequiredValue(number)), parsed.GetRequiredValue(dataset), parsed.GetValue(force), parsed.GetValue(restart), cancellationToken));
        return verb;
    }

    public static Verb CreateLatest()
    {
        var (dataset, force, restart) = (DatasetArgument(), ForceOption(), RestartOption());
        var source = new Option<string>("--source") { Description = "Take the newest backup of this dataset (default: of all).", HelpName = "dataset" };
        var verb = new Verb("latest", "Restore the newest backup into a dataset.", "zfs-restore latest tank/restored", "zfs-restore latest tank/restored --source tank/data") { dataset, force, source, restart, RestoreSession.VerboseOption };
        verb.SetAction((parsed, cancellationToken) => RunAsync(parsed, list => list.Newest(parsed.GetValue(source)), parsed.GetRequiredValue(dataset), parsed.GetValue(force), parsed.GetValue(restart), cancellationToken));
        return verb;
    }

    public static Argument<int> NumberArgument() => new("number") { Description = "The backup's number in 'zfs-restore list'." };

    private static Argument<string> DatasetArgument() => new("dataset") { Description = "The dataset to make; it must not exist yet." };

    private static Option<bool> ForceOption() => new("--force", "-f") { Description = "Replace the dataset if it exists. The old one goes only once the new one is whole." };

    private static Option<bool> RestartOption() => new("--restart") { Description = "Drop what an interrupted restore into the dataset has received, and start over." };

    private static async Task RunAsync(ParseResult parsed, Func<BackupList, SnapshotInfo> choose, string datasetText, bool force, bool restart, CancellationToken cancellationToken)
    {
        if (!DatasetName.TryParse(datasetText, out var dataset, out var fault)) throw new OperationException(ExitCode.Usage, $"'{datasetText}' is not a dataset name: {fault}.");
        using var session = RestoreSession.Open(parsed);
        var list = await BackupList.FetchAsync(session.Server, cancellationToken).ConfigureAwait(false);
        var backup = choose(list);
        var chain = list.ChainOf(backup);
        var resumed = await new ChainRestore(session, restart).RestoreAsync(chain, dataset, force, cancellationToken).ConfigureAwait(false);

        var result = new RestoreResult { Dataset = dataset.Value, Backup = backup, Received = [.. chain.Select(b => b.SnapshotId)], Resumed = resumed };
        session.Output.Result(result, RestoreJson.Default.RestoreResult, text =>
        {
            text.WriteLine($"Restored {backup.DatasetName}@{backup.SnapshotName} to {dataset}, every record verified.");
            if (backup.DatasetType == "filesystem") text.WriteLine($"It is not mounted. To look at its files: zfs-restore mount {dataset} /mnt/restore");
        });
    }
}
