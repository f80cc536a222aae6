using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Chooses what <c>latest</c> restores. A pure function of the list, without I/O.</summary>
/// <param name="Backup">The backup.</param>
/// <param name="Notes">What was chosen and why, for the user.</param>
/// <param name="Warnings">What the user may not expect.</param>
internal sealed record LatestChoice(SnapshotInfo Backup, IReadOnlyList<string> Notes, IReadOnlyList<string> Warnings)
{
    /// <summary>More names than these are not listed in a message.</summary>
    private const int MaxNames = 8;

    /// <param name="list">The client's backups.</param>
    /// <param name="request">What the user asked for.</param>
    /// <exception cref="OperationException">No backup fits, or it is not clear whose is meant.</exception>
    public static LatestChoice Make(BackupList list, LatestRequest request)
    {
        var source = ChooseSource(list, request);
        var candidates = list.Backups.Where(backup => backup.DatasetName == source).ToList();
        if (request.At is { } moment)
            candidates = [.. candidates.Where(backup => BackupOrder.TimeOf(backup) <= moment)];
        if (candidates.Count == 0)
            throw NotFound(list, source, request.At);

        List<string> notes = [];
        List<string> warnings = [];
        var sets = request.Recursive ? new TreeSets(candidates, list.Backups, list.IsComplete) : null;
        var chosen = sets is null ? candidates[0] : ChooseSet(candidates, sets);
        if (sets is not null)
        {
            if (sets.LacksOf(chosen).Count == 0)
                notes.Add($"The set of {chosen.SnapshotName} is complete: {source} and {Describe(sets, chosen)}.");
            warnings.AddRange(
                candidates
                    .TakeWhile(backup => !ReferenceEquals(backup, chosen))
                    .Take(1)
                    .Select(newer => DescribeIncomplete(newer, sets.LacksOf(newer), request.Target))
            );
        }
        else
        {
            chosen = ShortestOf(candidates, chosen, list);
        }

        if (candidates.Find(backup => !TreePlan.IsOfSameMachine(chosen, backup)) is { } foreign)
            (HasTakenOver(candidates, chosen) ? notes : warnings).Add(
                DescribeMachines(chosen, foreign, request.Target)
            );
        if (FindLaterClaim(candidates, chosen) is { } claim)
            warnings.Add(DescribeClaim(claim, list.FindClockFault(claim), request.Target));
        else if (list.FindClockFault(chosen) is { } fault)
            warnings.Add(
                $"The time of {Describe(chosen)}, {Timestamps.ToMinute(chosen.Timestamp)}, is wrong: {fault}."
            );
        return new LatestChoice(chosen, notes, warnings);
    }

    private static string ChooseSource(BackupList list, LatestRequest request)
    {
        if (request.Source is { } given)
            return given;
        var datasets = list
            .Backups.Select(backup => backup.DatasetName)
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)
            .ToList();
        if (datasets.Contains(request.Target, StringComparer.Ordinal))
            return request.Target;
        if (datasets.Count == 0)
            throw NotFound(list, null, null);
        // In this order a root comes before its descendants.
        var first = datasets[0];
        if (datasets.Count == 1)
            return first;
        if (request.Recursive && datasets.Skip(1).All(other => other.StartsWith(first + "/", StringComparison.Ordinal)))
            return first;
        throw new OperationException(
            ExitCode.Usage,
            $"Backups of {datasets.Count} datasets exist, and none of {request.Target}: {Join(datasets)}.",
            $"Name the one to restore: zfs-restore latest {request.Target} --source {first}"
        );
    }

    /// <summary>The newest complete set; the oldest is complete by definition, unless its chain is broken.</summary>
    private static SnapshotInfo ChooseSet(List<SnapshotInfo> candidates, TreeSets sets) =>
        candidates.FirstOrDefault(root => sets.LacksOf(root).Count == 0 && sets.CountDescendants(root) > 0)
        ?? candidates.FirstOrDefault(root => sets.LacksOf(root).Count == 0)
        ?? candidates[0];

    /// <summary>Of several backups of one snapshot, the one that needs the fewest others.</summary>
    private static SnapshotInfo ShortestOf(List<SnapshotInfo> candidates, SnapshotInfo chosen, BackupList list) =>
        candidates
            .Where(backup => backup.SnapshotGuid == chosen.SnapshotGuid && list.IsComplete(backup))
            .MinBy(backup => list.ChainOf(backup).Count)
        ?? chosen;

    /// <summary>The backup that would have been chosen by the snapshots' own times, if it is another one.</summary>
    private static SnapshotInfo? FindLaterClaim(List<SnapshotInfo> candidates, SnapshotInfo chosen)
    {
        var latest = candidates.MaxBy(backup => backup.Timestamp)!;
        return latest.Timestamp > chosen.Timestamp && candidates.IndexOf(latest) > candidates.IndexOf(chosen)
            ? latest
            : null;
    }

    /// <summary>
    /// Whether one machine replaced the other, as <c>--take-over</c> lets it: nothing of the other arrived since. If
    /// they take turns, each has a state of its own.
    /// </summary>
    private static bool HasTakenOver(List<SnapshotInfo> candidates, SnapshotInfo chosen)
    {
        var began = candidates.Where(backup => backup.MachineId == chosen.MachineId).Min(backup => backup.ReceivedAt);
        return candidates.TrueForAll(backup =>
            backup.MachineId is null || backup.MachineId == chosen.MachineId || backup.ReceivedAt < began
        );
    }

    private static string DescribeMachines(SnapshotInfo chosen, SnapshotInfo foreign, string target) =>
        $"{chosen.DatasetName} was backed up by two machines, {chosen.MachineName ?? chosen.MachineId} and "
        + $"{foreign.MachineName ?? foreign.MachineId}. What arrived last is of the first. The newest of the other: "
        + $"zfs-restore restore {foreign.SnapshotId} {target}";

    private static string DescribeClaim(SnapshotInfo claim, string? fault, string target)
    {
        var proof = fault ?? $"it arrived earlier, at {Timestamps.ToMinute(claim.ReceivedAt)}";
        return $"{Describe(claim)} has a later time, {Timestamps.ToMinute(claim.Timestamp)}, but {proof}: a clock was "
            + "wrong, or the other one was uploaded late. What arrived last is restored. To restore this one: "
            + $"zfs-restore restore {claim.SnapshotId} {target}";
    }

    private static string DescribeIncomplete(SnapshotInfo newer, IReadOnlyList<string> lacks, string target) =>
        $"{Describe(newer)} is newer, but its set is not complete: it lacks {Join(lacks)}. The newest complete set is "
        + $"restored instead. To restore the newer one without them: zfs-restore restore {newer.SnapshotId} {target} "
        + "--recursive";

    private static string Describe(TreeSets sets, SnapshotInfo root) =>
        sets.CountDescendants(root) switch
        {
            0 => "no descendants",
            1 => "1 descendant",
            var count => $"{count} descendants",
        };

    private static string Describe(SnapshotInfo backup) => $"{BackupName.OfSnapshot(backup)} ({backup.SnapshotId})";

    private static string Join(IReadOnlyCollection<string> names) =>
        string.Join(", ", names.Take(MaxNames)) + (names.Count > MaxNames ? ", …" : "");

    private static OperationException NotFound(BackupList list, string? source, DateTimeOffset? at)
    {
        if (list.Backups.Count == 0)
            return new OperationException(ExitCode.NotFound, "No backups exist yet.", "See 'zfs-restore list'.");
        var until = at is { } moment ? $" from {Timestamps.ToSecond(moment)} or before" : "";
        return new OperationException(
            ExitCode.NotFound,
            $"No backup of {source}{until} exists.",
            "See 'zfs-restore list'."
        );
    }
}
