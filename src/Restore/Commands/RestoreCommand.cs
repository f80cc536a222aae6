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
    private static readonly Argument<string> Dataset = new("dataset")
    {
        Description = "The dataset to make; it must not exist yet.",
    };

    private static readonly Option<bool> Force = new("--force", "-f")
    {
        Description = "Replace the dataset if it exists. The old one goes only once the new one is whole.",
    };

    private static readonly Option<bool> Restart = new("--restart")
    {
        Description = "Drop what an interrupted restore into the dataset has received, and start over.",
    };

    private static readonly Option<bool> Recursive = new("--recursive", "-r")
    {
        Description = "Restore the datasets below it as well, as they were in the same moment.",
    };

    private static readonly Option<bool> Properties = new("--properties")
    {
        Description =
            "Set the properties that the datasets had, such as compression, recordsize and quota. Mount points and "
            + "shares stay as they are.",
    };

    public static Verb CreateRestore()
    {
        var number = NumberArgument();
        var verb = new Verb(
            "restore",
            "Restore a backup, with all that it builds on, into a dataset. Run again after an interruption, it goes "
                + "on.",
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

    public static Verb CreateLatest()
    {
        var source = new Option<string>("--source")
        {
            Description = "Take the newest backup of this dataset (default: of all).",
            HelpName = "dataset",
        };
        var verb = new Verb(
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
        new("number") { Description = "The backup's number in 'zfs-restore list'." };

    private static void AddOptions(Verb verb)
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
        var others = result.Children is { Count: > 0 and var count } ? $" and {count} datasets below it" : "";
        text.WriteLine(
            $"Restored {backup.DatasetName}@{backup.SnapshotName} to {result.Dataset}{others}, every record verified."
        );
        foreach (var properties in result.Properties ?? [])
        {
            if (properties.Set.Count > 0)
                text.WriteLine($"{properties.Dataset}: set {string.Join(", ", properties.Set)}.");
            if (properties.Fault is { } fault)
                text.WriteLine($"{properties.Dataset}: its properties are not known, and none is set: {fault}");
            foreach (var (name, reason) in properties.Skipped)
                text.WriteLine($"{properties.Dataset}: {name} is not set: {reason}.");
        }

        if (backup.Raw)
            text.WriteLine(
                $"It is encrypted with the key of its source, which is needed to read it: zfs load-key {result.Dataset}"
            );
        if (backup.DatasetType == "filesystem")
            text.WriteLine($"It is not mounted. To look at its files: zfs-restore mount {result.Dataset} /mnt/restore");
    }
}
