using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Collects the datasets on which a command could not do its work, so that it does it on the others. The failure of a
/// single dataset is the command's.
/// </summary>
/// <param name="selection">What the command works on.</param>
/// <param name="output">Gets a line for each.</param>
/// <param name="notDone">What did not happen, such as <c>is not backed up</c>.</param>
internal sealed class DatasetFailures(DatasetSelection selection, Output output, string notDone)
{
    private readonly List<DatasetFailure> _all = [];

    public IReadOnlyList<DatasetFailure> All => _all;

    /// <summary>Takes over what was found when the datasets were listed.</summary>
    public IReadOnlyList<DatasetFacts> Take(SelectedDatasets selected)
    {
        selected.NoteLeftOut(output);
        foreach (var failure in selected.Failures)
            Add(failure);
        return selected.Datasets;
    }

    /// <exception cref="Exception">The dataset is the only one.</exception>
    public void Add(DatasetName dataset, Exception e)
    {
        if (selection.IsSingle)
            throw e;
        Add(DatasetFailure.Of(dataset.Value, e));
    }

    /// <summary>The datasets without those of which an obstacle is known.</summary>
    public IReadOnlyList<DatasetFacts> Without(
        IEnumerable<DatasetFacts> datasets,
        Func<DatasetFacts, OperationException?> findObstacle
    )
    {
        List<DatasetFacts> free = [];
        foreach (var dataset in datasets)
        {
            if (findObstacle(dataset) is { } obstacle)
                Add(dataset.Name, obstacle);
            else
                free.Add(dataset);
        }

        return free;
    }

    /// <summary>
    /// Whether the other datasets can still be worked on: a failure of the server, of the whole client or by the user
    /// would meet the others too.
    /// </summary>
    public bool Spares(Exception e) =>
        !selection.IsSingle
        && e is not OutOfMemoryException
        && FailureKinds.Of(e) is FailureKind.Dataset or FailureKind.Stream or FailureKind.Bug;

    private void Add(DatasetFailure failure)
    {
        output.Note($"{failure.Dataset} {notDone}: {failure.Message}");
        _all.Add(failure);
    }
}
