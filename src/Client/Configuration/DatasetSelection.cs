using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>Which datasets a command works on.</summary>
/// <param name="Roots">Those that are named; one at least.</param>
/// <param name="Recursive">Whether all below them count, too.</param>
/// <param name="Excludes">What is left out.</param>
internal sealed record DatasetSelection(
    IReadOnlyList<DatasetName> Roots,
    bool Recursive,
    IReadOnlyList<DatasetPattern> Excludes
)
{
    /// <summary>One dataset by itself: what becomes of it is the command's whole result.</summary>
    public bool IsSingle => Roots.Count == 1 && !Recursive;

    /// <summary>What there is now: a dataset that is new since the last time is in it by itself.</summary>
    /// <exception cref="OperationException">One that is named does not exist, or nothing is left.</exception>
    public async Task<IReadOnlyList<DatasetFacts>> ListAsync(ZfsHost zfs, CancellationToken cancellationToken)
    {
        var all = await zfs.ListDatasetsAsync(Roots, Recursive, cancellationToken);
        var chosen = all.Where(dataset => !Excludes.Any(exclude => exclude.Matches(dataset.Name))).ToList();
        return chosen.Count > 0
            ? chosen
            : throw new OperationException(
                ExitCode.Configuration,
                $"EXCLUDE leaves nothing of {string.Join(", ", Roots)}.",
                "Check EXCLUDE and --exclude."
            );
    }
}
