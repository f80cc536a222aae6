using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
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
        Description =
            "Replace an existing dataset. It is destroyed only after the new one is complete. A backup of a dataset "
            + "with another name must be named by its snapshot ID, as dataset@snapshot, or with --source.",
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
            "Also set what somebody had set on the source, such as quota, or what it had inherited, such as acltype. "
            + "Mount points and shares are not changed.",
    };

    private static readonly Option<string[]> Exclude = new("--exclude")
    {
        Description =
            "With --recursive: leave out this dataset and its descendants. May be given several times. The name is "
            + "that of the backed-up dataset.",
        HelpName = "dataset",
    };

    private static readonly Option<string> Encryption = new("--encryption")
    {
        Description =
            "How a backup that is not raw is restored below an encrypted dataset: 'inherit' encrypts it with that "
            + "one's key, 'off' does not. Default: as its source was.",
        HelpName = "inherit|off",
    };

    public static CommandWithExamples CreateRestore()
    {
        var name = BackupArgument();
        var verb = new CommandWithExamples(
            "restore",
            "Restore a backup and everything it depends on into a dataset. If interrupted, run the same command again "
                + "to resume.",
            "zfs-restore restore 1 tank/restored",
            "zfs-restore restore tank/home@zsm-manual-2026-02-13_14:30:00Z tank/home --force",
            "zfs-restore restore web1/tank_home_2026-02-13_14:30:00 tank/restored --recursive --properties"
        )
        {
            name,
        };
        AddOptions(verb);
        verb.SetAction(
            (parsed, cancellationToken) =>
            {
                var text = parsed.GetRequiredValue(name);
                var isNamed = !BackupList.IsNumber(text);
                return RunAsync(parsed, (list, _) => (list.Find(text), isNamed), cancellationToken);
            }
        );
        return verb;
    }

    public static CommandWithExamples CreateLatest()
    {
        var source = new Option<string>("--source")
        {
            Description =
                "Restore a backup of this dataset (default: the one with the target's name, or the only one that has "
                + "backups).",
            HelpName = "dataset",
        };
        var at = new Option<string>("--at")
        {
            Description =
                "Restore the newest snapshot made by then: '2026-01-31 12:00' (UTC), or 24h or 7d ago (default: now).",
            HelpName = "time",
        };
        var verb = new CommandWithExamples(
            "latest",
            "Restore the newest backup into a dataset: the one that arrived last, whatever the clocks said.",
            "zfs-restore latest tank/home",
            "zfs-restore latest tank/restored --source tank/home",
            "zfs-restore latest tank/restored --source tank/home --at '2026-01-31 12:00'",
            "zfs-restore latest tank/restored --source tank/home --recursive"
        )
        {
            source,
            at,
        };
        AddOptions(verb);
        verb.SetAction(
            (parsed, cancellationToken) =>
            {
                var moment = ParseMoment(parsed.GetValue(at));
                return RunAsync(
                    parsed,
                    (list, output) => (ChooseLatest(list, output), parsed.GetValue(source) is not null),
                    cancellationToken
                );

                SnapshotInfo ChooseLatest(BackupList list, Output output)
                {
                    var request = new LatestRequest(
                        parsed.GetRequiredValue(Dataset),
                        parsed.GetValue(source),
                        moment,
                        parsed.GetValue(Recursive)
                    );
                    var choice = LatestChoice.Make(list, request);
                    foreach (var warning in choice.Warnings)
                        output.Warn(warning);
                    foreach (var note in choice.Notes)
                        output.Note(note);
                    return choice.Backup;
                }
            }
        );
        return verb;
    }

    public static Argument<string> BackupArgument() =>
        new("backup")
        {
            Description = "Number or snapshot ID of the backup in 'zfs-restore list', or dataset@snapshot.",
        };

    private static DateTimeOffset? ParseMoment(string? text)
    {
        try
        {
            return text is null ? null : Moment.Parse(text, TimeProvider.System.GetUtcNow());
        }
        catch (FormatException e)
        {
            throw new OperationException(ExitCode.Usage, $"--at: {e.Message}.");
        }
    }

    private static void AddOptions(CommandWithExamples verb)
    {
        verb.Add(Dataset);
        Option[] options =
        [
            Force,
            Restart,
            Recursive,
            Exclude,
            Properties,
            Encryption,
            RestoreSession.VerboseOption,
            ProgramRunner.QuietOption,
        ];
        foreach (var option in options)
            verb.Add(option);
    }

    /// <param name="choose">Chooses the backup, and says whether the user named whose it is.</param>
    private static async Task RunAsync(
        ParseResult parsed,
        Func<BackupList, Output, (SnapshotInfo Backup, bool IsNamed)> choose,
        CancellationToken cancellationToken
    )
    {
        var datasetText = parsed.GetRequiredValue(Dataset);
        if (!DatasetName.TryParse(datasetText, out var dataset, out var fault))
            throw new OperationException(ExitCode.Usage, $"'{datasetText}' is not a dataset name: {fault}.");
        var options = ReadOptions(parsed);
        using var session = RestoreSession.Open(parsed);
        var list = await BackupList.FetchAsync(session, cancellationToken);
        var (backup, isNamed) = choose(list, session.Output);
        session.Output.Note(
            $"Restoring {BackupName.OfSnapshot(backup)} of {Timestamps.ToMinute(backup.Timestamp)} "
                + $"({backup.SnapshotId}) to {dataset}."
        );
        var restore = new TreeRestore(session, list, options with { IsNamed = isNamed });
        using var claim = await RestoreClaim.AcquireAsync(
            session.Settings.Zfs,
            dataset,
            TargetNames.PartialOf(dataset),
            session.Output,
            cancellationToken
        );
        var result = await claim.RunAsync(
            dataset,
            token => restore.RunAsync(backup, dataset, token),
            cancellationToken
        );
        Warn(session.Output, result);
        session.Output.Result(result, RestoreJson.Default.RestoreResult, text => Write(text, result));
    }

    private static RestoreOptions ReadOptions(ParseResult parsed)
    {
        var excluded = parsed.GetValue(Exclude) ?? [];
        if (excluded.Length > 0 && !parsed.GetValue(Recursive))
            throw new OperationException(ExitCode.Usage, "--exclude needs --recursive.");
        foreach (var name in excluded)
        {
            if (!DatasetName.TryParse(name, out _, out var fault))
                throw new OperationException(ExitCode.Usage, $"--exclude: '{name}' is not a dataset name: {fault}.");
        }

        return new RestoreOptions
        {
            Force = parsed.GetValue(Force),
            Restart = parsed.GetValue(Restart),
            Recursive = parsed.GetValue(Recursive),
            Properties = parsed.GetValue(Properties),
            Excluded = excluded,
            Encryption = parsed.GetValue(Encryption) switch
            {
                null => PlainEncryption.AsSource,
                "inherit" => PlainEncryption.Inherit,
                "off" => PlainEncryption.Off,
                var other => throw new OperationException(
                    ExitCode.Usage,
                    $"--encryption: '{other}' is neither 'inherit' nor 'off'."
                ),
            },
        };
    }

    private static void Warn(Output output, RestoreResult result)
    {
        foreach (var properties in result.Properties)
        {
            if (properties.Fault is { } fault)
                output.Warn($"{properties.Dataset}: its properties are unknown; none were set: {fault}");
            foreach (var name in properties.Refused)
                output.Warn($"{properties.Dataset}: {name} was not set: {properties.Skipped[name]}.");
        }
    }

    private static void Write(TextWriter text, RestoreResult result)
    {
        var backup = result.Backup;
        var others = result.Children is { Count: > 0 and var count } ? $" and {count} descendant datasets" : "";
        text.WriteLine(
            $"Restored {backup.DatasetName}@{backup.SnapshotName} to {result.Dataset}{others}, every record verified."
        );
        foreach (var properties in result.Properties)
            Write(text, properties);
        if (result.Properties.Any(properties => properties.Differences.Count > 0))
            text.WriteLine(
                "Change them with zfs set, if they matter; --properties sets what somebody had set on the source."
            );
        if (backup.Raw)
            text.WriteLine(
                $"It is encrypted with its source's key, which is needed to read it: zfs load-key {result.Dataset}"
            );
        if (result.MountedAt is { } mountpoint)
            text.WriteLine($"It is mounted at {mountpoint}, as the dataset that it replaced was.");
        else if (backup.DatasetType == "filesystem")
            text.WriteLine($"It is not mounted. To access its files: zfs-restore mount {result.Dataset} /mnt/restore");
    }

    private static void Write(TextWriter text, RestoredProperties properties)
    {
        if (properties.Set.Count > 0)
            text.WriteLine($"{properties.Dataset}: set {string.Join(", ", properties.Set)}.");
        foreach (var (name, reason) in properties.Skipped.Where(skipped => !properties.Refused.Contains(skipped.Key)))
            text.WriteLine($"{properties.Dataset}: {name} was not set: {reason}.");
        if (properties.Differences.Count > 0)
            text.WriteLine($"{properties.Dataset} differs from its source in {Describe(properties.Differences)}.");
    }

    private static string Describe(IReadOnlyList<PropertyDifference> differences) =>
        string.Join(
            ", ",
            differences.Select(difference =>
                $"{difference.Property} ({difference.RestoredValue} here, {difference.SourceValue} there)"
            )
        );
}
