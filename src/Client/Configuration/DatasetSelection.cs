using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>The datasets that a command works on.</summary>
/// <param name="Roots">The named datasets; at least one.</param>
/// <param name="Recursive">Whether their descendants are included.</param>
/// <param name="Excludes">Datasets to exclude.</param>
internal sealed record DatasetSelection(
    IReadOnlyList<DatasetName> Roots,
    bool Recursive,
    IReadOnlyList<DatasetPattern> Excludes
)
{
    /// <summary>The option whose patterns add to EXCLUDE.</summary>
    public const string MoreExcludes = "--exclude";

    /// <summary>The option that ignores EXCLUDE.</summary>
    public const string NoExclude = "--no-exclude";

    /// <summary>Whether exactly one dataset is selected; then its result or failure is the command's.</summary>
    public bool IsSingle => Roots.Count == 1 && !Recursive;

    /// <summary>Lists the datasets that exist now; new ones are included automatically.</summary>
    /// <exception cref="OperationException">A named dataset does not exist, or every dataset is excluded.</exception>
    public async Task<IReadOnlyList<DatasetFacts>> ListAsync(ZfsHost zfs, CancellationToken cancellationToken)
    {
        var all = await zfs.ListDatasetsAsync(Roots, Recursive, cancellationToken);
        var chosen = all.Where(dataset => !Excludes.Any(exclude => exclude.Matches(dataset.Name))).ToList();
        return chosen.Count > 0
            ? chosen
            : throw new OperationException(
                ExitCode.Configuration,
                $"EXCLUDE matches every selected dataset of {string.Join(", ", Roots)}.",
                "Check EXCLUDE and --exclude; --no-exclude ignores EXCLUDE."
            );
    }
}
