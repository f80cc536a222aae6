using System.CommandLine;

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

    private static readonly Option<string[]> Exclude = new("--exclude")
    {
        Description =
            "Exclude a dataset and its descendants; * and ? match parts of a name. May be given several times "
            + "(default: EXCLUDE).",
        HelpName = "pattern",
    };

    public static void AddTo(Command command)
    {
        command.Add(Dataset);
        command.Add(Recursive);
        command.Add(Exclude);
    }

    /// <summary>The options as settings, which override those of the files.</summary>
    public static IReadOnlyDictionary<string, string?> Read(ParseResult parsed) =>
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LOCAL_DATASET"] = Join(parsed.GetValue(Dataset)),
            ["RECURSIVE"] = parsed.GetValue(Recursive) ? "true" : null,
            ["EXCLUDE"] = Join(parsed.GetValue(Exclude)),
        };

    private static string? Join(string[]? values) => values is { Length: > 0 } ? string.Join(',', values) : null;
}
