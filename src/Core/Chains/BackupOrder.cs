using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Chains;

/// <summary>
/// Which of a client's backups is newer. Clocks of clients are wrong at times, so it depends on what happened: an
/// incremental is newer than its base, and otherwise the snapshot is newer that arrived later. The snapshots' own
/// times decide only between those that arrived together. Immutable, and safe for use by several threads.
/// </summary>
public sealed class BackupOrder
{
    /// <summary>Clocks of two machines may differ by so much without being called wrong.</summary>
    public const int ToleranceSeconds = 300;

    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(ToleranceSeconds);

    private readonly BackupChains _chains;

    /// <param name="backups">All backups of one client, in any order.</param>
    /// <param name="chains">Their chains.</param>
    public BackupOrder(IReadOnlyCollection<SnapshotInfo> backups, BackupChains chains)
    {
        _chains = chains;
        var arrivals = new Dictionary<SnapshotGuid, DateTimeOffset>(backups.Count);
        foreach (var backup in backups)
        {
            if (!arrivals.TryGetValue(backup.SnapshotGuid, out var first) || backup.ReceivedAt < first)
                arrivals[backup.SnapshotGuid] = backup.ReceivedAt;
        }

        // Bases before what is built on them: a base's chain is shorter.
        var places = new Dictionary<string, Place>(backups.Count, StringComparer.Ordinal);
        foreach (var backup in backups.OrderBy(chains.LengthOf))
        {
            var place = new Place(arrivals[backup.SnapshotGuid], backup.Timestamp, chains.LengthOf(backup));
            if (chains.BaseOf(backup) is { } before && places.TryGetValue(before.SnapshotId, out var earlier))
                place = place.After(earlier);
            places[backup.SnapshotId] = place;
        }

        NewestFirst =
        [
            .. backups
                .OrderByDescending(backup => places[backup.SnapshotId].Arrival)
                .ThenByDescending(backup => places[backup.SnapshotId].Made)
                .ThenByDescending(backup => places[backup.SnapshotId].Length)
                .ThenBy(backup => backup.SnapshotId, StringComparer.Ordinal),
        ];
    }

    public IReadOnlyList<SnapshotInfo> NewestFirst { get; }

    /// <summary>Whether a backup's own time is later than the time at which it arrived.</summary>
    public static bool IsAhead(SnapshotInfo backup) => backup.Timestamp > backup.ReceivedAt + Tolerance;

    /// <summary>When the snapshot was made, but not later than it arrived.</summary>
    public static DateTimeOffset TimeOf(SnapshotInfo backup) =>
        backup.Timestamp < backup.ReceivedAt ? backup.Timestamp : backup.ReceivedAt;

    /// <summary>How a backup's own time proves that a clock was wrong when it was made; null if it does not.</summary>
    public string? FindClockFault(SnapshotInfo backup)
    {
        if (IsAhead(backup))
            return $"it arrived before, at {Timestamps.ToMinute(backup.ReceivedAt)}";
        if (_chains.BaseOf(backup) is { } before && !IsAhead(before) && backup.Timestamp + Tolerance < before.Timestamp)
            return $"its base is of {Timestamps.ToMinute(before.Timestamp)}";
        return null;
    }

    /// <param name="Arrival">When the snapshot first arrived, or its base, if that is later.</param>
    /// <param name="Made">The same of the snapshots' own times.</param>
    /// <param name="Length">Of the chain.</param>
    private readonly record struct Place(DateTimeOffset Arrival, DateTimeOffset Made, int Length)
    {
        public Place After(Place earlier) =>
            this with
            {
                Arrival = Arrival > earlier.Arrival ? Arrival : earlier.Arrival,
                Made = Made > earlier.Made ? Made : earlier.Made,
            };
    }
}
