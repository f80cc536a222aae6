using System.CommandLine;
using ZfsSnapshotManager.Client.Configuration;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary>The options that select the datasets a command works on.</summary>
internal static class DatasetOptions
{
    private static readonly Option<string[]> Dataset = new("--dataset")
    {
        Description = "Dataset to work on; may be given several times (default: LOCAL_DATASET).",
        HelpName = "dataset",
    };

    private static readonly Option<bool> Recursive = new("--recursive", "-r")
    {
        Description = "Include all descendant datasets.",
    };

    private static readonly Option<bool> NotRecursive = new("--no-recursive")
    {
        Description = "Only the named datasets, whatever RECURSIVE says.",
    };

    private static readonly Option<string[]> Exclude = new("--exclude")
    {
        Description =
            "Exclude a dataset and its descendants, in addition to EXCLUDE; * and ? match parts of a name. May be "
            + "given several times.",
        HelpName = "pattern",
    };

    private static readonly Option<bool> NothingExcluded = new("--no-exclude")
    {
        Description = "Ignore EXCLUDE; only --exclude counts.",
    };

    public static void AddTo(Command command)
    {
        command.Add(Dataset);
        command.Add(Recursive);
        command.Add(NotRecursive);
        command.Add(Exclude);
        command.Add(NothingExcluded);
        command.Validators.Add(result =>
        {
            if (result.GetValue(Recursive) && result.GetValue(NotRecursive))
                result.AddError("--recursive and --no-recursive exclude each other.");
        });
    }

    /// <summary>The options as settings, which override those of the files.</summary>
    public static IReadOnlyDictionary<string, string?> Read(ParseResult parsed) =>
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LOCAL_DATASET"] = Join(parsed.GetValue(Dataset)),
            ["RECURSIVE"] = ReadRecursive(parsed),
            [DatasetSelection.MoreExcludes] = Join(parsed.GetValue(Exclude)),
            [DatasetSelection.NoExclude] = parsed.GetValue(NothingExcluded) ? "true" : null,
        };

    private static string? ReadRecursive(ParseResult parsed)
    {
        if (parsed.GetValue(Recursive))
            return "true";
        return parsed.GetValue(NotRecursive) ? "false" : null;
    }

    private static string? Join(string[]? values) => values is { Length: > 0 } ? string.Join(',', values) : null;
}
