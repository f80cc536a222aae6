using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>The datasets that a command works on, and what became of the others.</summary>
/// <param name="Datasets">Parents before children.</param>
/// <param name="Failures">Datasets that are named, or found, and cannot be worked on.</param>
/// <param name="LeftOut">Datasets that must not or need not be worked on.</param>
internal sealed record SelectedDatasets(
    IReadOnlyList<DatasetFacts> Datasets,
    IReadOnlyList<DatasetFailure> Failures,
    IReadOnlyList<LeftOutDataset> LeftOut
)
{
    private const int MostNames = 3;

    /// <summary>What was left out and why, a line for each reason.</summary>
    public IEnumerable<string> DescribeLeftOut() =>
        LeftOut
            .GroupBy(dataset => dataset.Reason, StringComparer.Ordinal)
            .Select(group => $"{Join([.. group])}: left out, because {group.Key}");

    /// <summary>The first of them by name, and how many more there are.</summary>
    public static string Join(IReadOnlyCollection<LeftOutDataset> datasets) =>
        string.Join(", ", datasets.Take(MostNames).Select(dataset => dataset.Dataset))
        + (datasets.Count > MostNames ? $" and {datasets.Count - MostNames} more" : "");

    public void NoteLeftOut(Output output)
    {
        output.LeaveOut(LeftOut);
        foreach (var line in DescribeLeftOut())
            output.Note(line);
    }
}
