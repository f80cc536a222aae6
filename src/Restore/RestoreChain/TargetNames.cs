using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>The names that play a role in a restore; all have the same parent.</summary>
/// <param name="Final">The name that the restored dataset gets.</param>
/// <param name="Partial">The name under which it is received.</param>
/// <param name="Replaced">The name of a dataset that it replaces, between the exchange and the old one's end.</param>
internal sealed record TargetNames(DatasetName Final, DatasetName Partial, DatasetName Replaced)
{
    /// <exception cref="OperationException">The name is too long.</exception>
    public static TargetNames Of(DatasetName final) => new(final, PartialOf(final), Beside(final, ".replaced"));

    /// <summary>The name under which a dataset is received.</summary>
    /// <param name="below">What follows the name, for a descendant; begins with a slash.</param>
    /// <exception cref="OperationException">It is too long.</exception>
    public static DatasetName PartialOf(DatasetName dataset, string below = "") =>
        Beside(dataset, $"{below}.restoring");

    private static DatasetName Beside(DatasetName name, string suffix) =>
        DatasetName.TryParse(name.Value + suffix, out var beside, out var fault)
            ? beside
            : throw new OperationException(
                ExitCode.Usage,
                $"Cannot restore to {name}: the temporary name {name}{suffix} is not a dataset name: {fault}.",
                "Choose a shorter name."
            );
}
