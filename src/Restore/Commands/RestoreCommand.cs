using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.Restore.RestoreChain;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>restore</c> and <c>latest</c>.</summary>
internal static class RestoreCommand
{
    private static readonly Argument<string> Dataset = new("dataset")
    {
        Description = "Dataset to create. It must not exist unless --force is given.",
    };

    private static readonly Option<bool> Force = new("--force", "-f")
    {
        Description = "Replace an existing dataset. It is destroyed only after the new one is complete.",
    };

    private static readonly Option<bool> Restart = new("--restart")
    {
        Description = "Discard what an interrupted restore has received and start over.",
    };

    private static readonly Option<bool> Recursive = new("--recursive", "-r")
    {
        Description = "Include all descendant datasets, as of the same moment.",
    };

    private static readonly Option<bool> Properties = new("--properties")
    {
        Description =
            "Also restore properties such as compression, recordsize and quota. Mount points and shares are not "
            + "changed.",
    };

    public static CommandWithExamples CreateRestore()
    {
        var number = NumberArgument();
        var verb = new CommandWithExamples(
            "restore",
            "Restore a backup and everything it depends on into a dataset. If interrupted, run the same command again "
                + "to resume.",
            "zfs-restore restore 1 tank/restored",
            "zfs-restore restore 1 tank/restored --force",
            "zfs-restore restore 1 tank/restored --recursive --properties"
        )
        {
            number,
        };
        AddOptions(verb);
        verb.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(parsed, list => list.Get(parsed.GetRequiredValue(number)), cancellationToken)
        );
        return verb;
    }

    public static CommandWithExamples CreateLatest()
    {
        var source = new Option<string>("--source")
        {
            Description = "Restore the newest backup of this dataset (default: of all datasets).",
            HelpName = "dataset",
        };
        var verb = new CommandWithExamples(
            "latest",
            "Restore the newest backup into a dataset.",
            "zfs-restore latest tank/restored",
            "zfs-restore latest tank/restored --source tank/data"
        )
        {
            source,
        };
        AddOptions(verb);
        verb.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(parsed, list => list.Newest(parsed.GetValue(source)), cancellationToken)
        );
        return verb;
    }

    public static Argument<int> NumberArgument() =>
        new("number") { Description = "Number of the backup in 'zfs-restore list'." };

    private static void AddOptions(CommandWithExamples verb)
    {
        verb.Add(Dataset);
        foreach (var option in (Option[])[Force, Restart, Recursive, Properties, RestoreSession.VerboseOption])
            verb.Add(option);
    }

    private static async Task RunAsync(
        ParseResult parsed,
        Func<BackupList, SnapshotInfo> choose,
        CancellationToken cancellationToken
    )
    {
        var datasetText = parsed.GetRequiredValue(Dataset);
        if (!DatasetName.TryParse(datasetText, out var dataset, out var fault))
            throw new OperationException(ExitCode.Usage, $"'{datasetText}' is not a dataset name: {fault}.");
        using var session = RestoreSession.Open(parsed);
        var list = await BackupList.FetchAsync(session.Server, cancellationToken);
        var restore = new TreeRestore(
            session,
            list,
            parsed.GetValue(Restart),
            parsed.GetValue(Recursive),
            parsed.GetValue(Properties)
        );
        var result = await restore.RunAsync(choose(list), dataset, parsed.GetValue(Force), cancellationToken);
        session.Output.Result(result, RestoreJson.Default.RestoreResult, text => Write(text, result));
    }

    private static void Write(TextWriter text, RestoreResult result)
    {
        var backup = result.Backup;
        var others = result.Children is { Count: > 0 and var count } ? $" and {count} descendant datasets" : "";
        text.WriteLine(
            $"Restored {backup.DatasetName}@{backup.SnapshotName} to {result.Dataset}{others}, every record verified."
        );
        foreach (var properties in result.Properties ?? [])
        {
            if (properties.Set.Count > 0)
                text.WriteLine($"{properties.Dataset}: set {string.Join(", ", properties.Set)}.");
            if (properties.Fault is { } fault)
                text.WriteLine($"{properties.Dataset}: its properties are unknown; none were set: {fault}");
            foreach (var (name, reason) in properties.Skipped)
                text.WriteLine($"{properties.Dataset}: {name} was not set: {reason}.");
        }

        if (backup.Raw)
            text.WriteLine(
                $"It is encrypted with its source's key, which is needed to read it: zfs load-key {result.Dataset}"
            );
        if (backup.DatasetType == "filesystem")
            text.WriteLine($"It is not mounted. To access its files: zfs-restore mount {result.Dataset} /mnt/restore");
    }
}
