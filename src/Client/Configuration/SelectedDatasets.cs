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
            .Select(group =>
            {
                string[] names = [.. group.Select(dataset => dataset.Dataset)];
                var more = names.Length > MostNames ? $" and {names.Length - MostNames} more" : "";
                return $"{string.Join(", ", names.Take(MostNames))}{more}: left out, because {group.Key}";
            });

    public void NoteLeftOut(Output output)
    {
        output.LeaveOut(LeftOut);
        foreach (var line in DescribeLeftOut())
            output.Note(line);
    }
}
