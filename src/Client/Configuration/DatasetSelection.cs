using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>The datasets that a command works on.</summary>
/// <param name="Roots">The named datasets; at least one.</param>
/// <param name="Recursive">Whether their descendants are included.</param>
/// <param name="Excludes">Datasets to exclude.</param>
/// <param name="AutoSnapshot">Whether <c>com.sun:auto-snapshot=false</c> excludes a dataset.</param>
internal sealed record DatasetSelection(
    IReadOnlyList<DatasetName> Roots,
    bool Recursive,
    IReadOnlyList<DatasetPattern> Excludes,
    AutoSnapshotRule AutoSnapshot
)
{
    /// <summary>The option whose patterns add to EXCLUDE.</summary>
    public const string MoreExcludes = "--exclude";

    /// <summary>The option that ignores EXCLUDE.</summary>
    public const string NoExclude = "--no-exclude";

    /// <summary>Whether exactly one dataset is selected; then its result or failure is the command's.</summary>
    public bool IsSingle => Roots.Count == 1 && !Recursive;

    /// <summary>
    /// Lists the datasets that exist now; new ones are included automatically. A named dataset that does not exist is a
    /// failure of its own.
    /// </summary>
    /// <exception cref="OperationException">The only dataset cannot be worked on, every dataset is excluded, or
    /// <c>zfs</c> cannot be asked.</exception>
    public async Task<SelectedDatasets> ListAsync(ZfsHost zfs, CancellationToken cancellationToken)
    {
        var listing = await new DatasetLister(zfs, Roots, Recursive).ListAsync(cancellationToken);
        List<DatasetFacts> datasets = [];
        List<LeftOutDataset> leftOut = [];
        List<DatasetFailure> failures =
        [
            .. listing
                .Failures.Where(failure => !IsExcluded(failure.Name))
                .Select(failure => DatasetFailure.Of(failure.Name, failure.Failure)),
        ];
        foreach (var dataset in listing.Datasets.Where(dataset => !IsExcluded(dataset.Name.Value)))
        {
            var isNamed = !Recursive || Roots.Contains(dataset.Name);
            if (FindUse(dataset) is { } use && isNamed)
                failures.Add(DatasetFailure.Of(dataset.Name.Value, use));
            else if (FindReason(dataset) is { } reason)
                leftOut.Add(
                    new LeftOutDataset
                    {
                        Dataset = dataset.Name.Value,
                        Reason = reason,
                        IsByProperty = dataset.Use == DatasetUse.None,
                    }
                );
            else
                datasets.Add(dataset);
        }

        if (IsSingle && failures is [var only])
            throw only.Cause;
        return datasets.Count + failures.Count + leftOut.Count > 0
            ? new SelectedDatasets(datasets, failures, leftOut)
            : throw new OperationException(
                ExitCode.Configuration,
                $"EXCLUDE matches every selected dataset of {string.Join(", ", Roots)}.",
                "Check EXCLUDE and --exclude; --no-exclude ignores EXCLUDE."
            );
    }

    private static OperationException? FindUse(DatasetFacts dataset) =>
        dataset.Use switch
        {
            DatasetUse.Restore => new OperationException(
                ExitCode.Conflict,
                $"{dataset.Name} belongs to a restore that is not finished; a snapshot of it would prevent that.",
                "Finish the restore first: run the same zfs-restore command again. If it is complete and in use, "
                    + $"remove the mark: zfs inherit {DatasetLister.RestoreProperty} '{dataset.MarkedDataset}'"
            ),
            DatasetUse.Storage => new OperationException(
                ExitCode.Conflict,
                $"{dataset.Name} holds backups that a zfs-server received; a snapshot of it would prevent the next.",
                "Copy them by 'zfs send' of the snapshots that it has."
            ),
            _ => null,
        };

    private bool IsExcluded(string dataset) => Excludes.Any(exclude => exclude.Matches(dataset));

    private string? FindReason(DatasetFacts dataset)
    {
        switch (dataset.Use)
        {
            case DatasetUse.Restore:
                return "a restore into it is not finished, or has left its mark "
                    + $"({DatasetLister.RestoreProperty} of {dataset.MarkedDataset})";
            case DatasetUse.Storage:
                return "a zfs-server stores backups in it";
            default:
                break;
        }

        return IsLeftOutBy(dataset.NoAutoSnapshot, dataset.Name)
            ? $"{DatasetLister.AutoSnapshotProperty} is false (RESPECT_AUTO_SNAPSHOT)"
            : null;
    }

    /// <param name="source">Where the property comes from; null if it is not false.</param>
    /// <param name="dataset">A dataset that is named by itself is wanted, whatever the property says.</param>
    private bool IsLeftOutBy(string? source, DatasetName dataset)
    {
        if (source is null || (!Recursive && Roots.Contains(dataset)))
            return false;
        return AutoSnapshot switch
        {
            AutoSnapshotRule.Always => true,
            AutoSnapshotRule.Received => source == "received",
            _ => false,
        };
    }
}
