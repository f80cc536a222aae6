using System.CommandLine;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary>The options that say which datasets a command works on.</summary>
internal static class SelectionOptions
{
    private static readonly Option<string[]> Dataset = new("--dataset")
    {
        Description = "The dataset to work on; may be given several times (default: LOCAL_DATASET).",
        HelpName = "dataset",
    };

    private static readonly Option<bool> Recursive = new("--recursive", "-r")
    {
        Description = "All datasets below it as well.",
    };

    private static readonly Option<string[]> Exclude = new("--exclude")
    {
        Description =
            "Leave out a dataset and all below it; * and ? stand for parts of a name. May be given several times "
            + "(default: EXCLUDE).",
        HelpName = "pattern",
    };

    public static void AddTo(Command command)
    {
        command.Add(Dataset);
        command.Add(Recursive);
        command.Add(Exclude);
    }

    /// <summary>As settings, which win over those of the files.</summary>
    public static IReadOnlyDictionary<string, string?> Read(ParseResult parsed) =>
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LOCAL_DATASET"] = Join(parsed.GetValue(Dataset)),
            ["RECURSIVE"] = parsed.GetValue(Recursive) ? "true" : null,
            ["EXCLUDE"] = Join(parsed.GetValue(Exclude)),
        };

    private static string? Join(string[]? values) => values is { Length: > 0 } ? string.Join(',', values) : null;
}
