using System.CommandLine;

namespace ZfsSnapshotManager.Client.Commands;

internal static class DatasetOption
{
    public static Option<string> Instance { get; } = new("--dataset") { Description = "The dataset to work on (default: LOCAL_DATASET).", HelpName = "dataset" };
}
