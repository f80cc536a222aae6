using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>The names that a chain's snapshots get in the dataset that is restored.</summary>
internal static class ChainNames
{
    /// <summary>
    /// Successive snapshots of a chain may have had the same name. In one dataset, the later one needs another name.
    /// </summary>
    /// <param name="chain">The full backup first.</param>
    /// <param name="dataset">The name under which they are received.</param>
    /// <exception cref="OperationException">A name is too long. That must be known before anything is
    /// received.</exception>
    public static IReadOnlyList<SnapshotName> Choose(IReadOnlyList<SnapshotInfo> chain, DatasetName dataset)
    {
        var used = new HashSet<string>(StringComparer.Ordinal);
        return
        [
            .. chain.Select(backup =>
            {
                var name = $"{dataset}@{ChooseLeaf(backup.SnapshotName, used)}";
                return SnapshotName.TryParse(name, out var parsed, out var fault)
                    ? parsed
                    : throw new OperationException(
                        ExitCode.Usage,
                        $"{backup.SnapshotId} cannot be restored under this name: its snapshot would be {name} while "
                            + $"it is received, and {fault}.",
                        "Choose a shorter name for the dataset. Nothing was received."
                    );
            }),
        ];
    }

    private static string ChooseLeaf(string name, HashSet<string> used)
    {
        var chosen = name;
        var number = 1;
        while (!used.Add(chosen))
        {
            number++;
            chosen = $"{name}-{number}";
        }

        return chosen;
    }
}
