using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>The descendants of a tree that could not be restored, with the reasons.</summary>
internal sealed class TreeFailures
{
    /// <summary>More would not be read.</summary>
    private const int MaxNamed = 20;

    private readonly List<(string Dataset, string Reason)> _all = [];
    private readonly List<string> _roots = [];
    private readonly List<string> _missing = [];
    private Exception? _first;

    /// <summary>
    /// Whether the other datasets can still be restored. A server that is away, a full pool or a signal would meet them
    /// too, and nobody knows what a bug does.
    /// </summary>
    public static bool SparesOthers(Exception e) => FailureKinds.Of(e) is FailureKind.Dataset or FailureKind.Stream;

    public void Add(string dataset, Exception e)
    {
        _first ??= e;
        _roots.Add(dataset);
        var remedy = (e as OperationException)?.Remedy;
        _all.Add((dataset, remedy is null ? e.Message : $"{e.Message} {remedy}"));
    }

    /// <param name="dataset">A dataset that has no parent, so that it was not tried.</param>
    /// <param name="parent">The dataset above it that could not be restored.</param>
    public void AddBelow(string dataset, string parent) => _all.Add((dataset, $"{parent} is missing"));

    /// <param name="backup">Of a descendant that a finished tree does not have.</param>
    /// <param name="name">The name that it would have.</param>
    public void AddMissing(SnapshotInfo backup, DatasetName name) =>
        _missing.Add($"zfs-restore restore {backup.SnapshotId} {name}");

    /// <param name="root">The finished tree.</param>
    public void ThrowIfAnyIsMissing(DatasetName root)
    {
        if (_missing.Count == 0)
            return;
        var more = _missing.Count > MaxNamed ? $"\n  and {_missing.Count - MaxNamed} more" : "";
        throw new OperationException(
            ExitCode.Conflict,
            $"{root} was completed by an earlier restore, without {_missing.Count} of its descendant datasets, and "
                + "nothing is added to it now: it may be in use.",
            "To restore them into their places, parents first:"
                + string.Concat(_missing.Take(MaxNamed).Select(line => $"\n  {line}"))
                + more
        );
    }

    /// <returns>A dataset above this one that could not be restored; null if there is none.</returns>
    public string? FindAbove(string dataset) =>
        _roots.Find(root => dataset.StartsWith($"{root}/", StringComparison.Ordinal));

    /// <param name="total">Number of descendants.</param>
    public void ThrowIfAny(int total)
    {
        if (_first is null)
            return;
        var lines = _all.Take(MaxNamed).Select(failure => $"\n  {failure.Dataset}: {failure.Reason}");
        var more = _all.Count > MaxNamed ? $"\n  and {_all.Count - MaxNamed} more" : "";
        var without = string.Join(' ', _roots.Take(MaxNamed).Select(root => $"--exclude '{root}'"));
        throw new OperationException(
            (_first as OperationException)?.ExitCode ?? ExitCode.Damaged,
            $"{_all.Count} of {total} descendant datasets could not be restored; the others are complete:"
                + string.Concat(lines)
                + more,
            $"To finish without {(_roots.Count == 1 ? "it" : "them")}, add {without} to the command.",
            _first,
            FailureKind.Dataset
        );
    }
}
