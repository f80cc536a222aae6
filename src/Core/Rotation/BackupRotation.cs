using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// Which backups of a client a policy keeps. Decided from lists alone, without I/O; the order in which the backups are
/// given does not matter.
/// </summary>
public sealed class BackupRotation
{
    private readonly Dictionary<string, string> _kept = new(StringComparer.Ordinal); // reasons by id
    private readonly IReadOnlyCollection<SnapshotInfo> _backups;
    private readonly BackupChains _chains;
    private readonly List<List<SnapshotInfo>> _datasets; // each the newest first

    private BackupRotation(IReadOnlyCollection<SnapshotInfo> backups, BackupChains chains)
    {
        (_backups, _chains) = (backups, chains);
        _datasets =
        [
            .. backups
                .GroupBy(backup => backup.DatasetName, StringComparer.Ordinal)
                .OrderBy(dataset => dataset.Key, StringComparer.Ordinal)
                .Select(dataset => BackupTimes.NewestFirst(dataset).ToList()),
        ];
    }

    /// <param name="backups">All of one client's.</param>
    /// <param name="policy">How many of each class stay, of each dataset.</param>
    /// <param name="openBases">Snapshots that open uploads start from.</param>
    /// <param name="now">The server's time: until when the store lets nobody delete is compared with it.</param>
    /// <param name="chains">Of all of these backups, where the caller has them already.</param>
    /// <param name="obstacles">By id, why the store would not delete a backup now; null: nothing of that kind.</param>
    /// <returns>One decision for each, the newest of each dataset first.</returns>
    public static IReadOnlyList<RotationDecision<SnapshotInfo>> Plan(
        IReadOnlyCollection<SnapshotInfo> backups,
        RotationPolicy policy,
        IReadOnlySet<SnapshotGuid> openBases,
        DateTimeOffset now,
        BackupChains? chains = null,
        IReadOnlyDictionary<string, string>? obstacles = null
    )
    {
        var rotation = new BackupRotation(backups, chains ?? new BackupChains(backups));
        foreach (var dataset in rotation._datasets)
            rotation.KeepPlaces(policy, dataset);
        rotation.KeepProtected(openBases, now, obstacles);
        rotation.KeepBases();
        return rotation.Decide("no place of the policy keeps it");
    }

    /// <summary>
    /// What may go for space where no policy of the server says what must stay: all but the newest chain of each
    /// dataset.
    /// </summary>
    /// <inheritdoc cref="Plan"/>
    public static IReadOnlyList<RotationDecision<SnapshotInfo>> PlanForSpace(
        IReadOnlyCollection<SnapshotInfo> backups,
        IReadOnlySet<SnapshotGuid> openBases,
        DateTimeOffset now,
        BackupChains? chains = null,
        IReadOnlyDictionary<string, string>? obstacles = null
    )
    {
        var rotation = new BackupRotation(backups, chains ?? new BackupChains(backups));
        foreach (var dataset in rotation._datasets)
            rotation.KeepNewest(dataset);
        rotation.KeepProtected(openBases, now, obstacles);
        rotation.KeepBases();
        return rotation.Decide("it may go where space is needed");
    }

    private void KeepPlaces(RotationPolicy policy, List<SnapshotInfo> newestFirst)
    {
        foreach (var stratum in newestFirst.GroupBy(BackupTimes.IsLate).Select(stratum => stratum.ToList()))
        {
            foreach (var type in SnapshotTypes.Classes)
                KeepClass(type, policy.Keep(type), stratum);
        }

        KeepNewest(newestFirst);
    }

    /// <summary>The newest of the class itself, and manual ones for periods that have none of it.</summary>
    private void KeepClass(SnapshotType type, int count, List<SnapshotInfo> newestFirst)
    {
        var taken = newestFirst
            .Where(backup => backup.SnapshotType == type)
            .Select(backup => RotationPeriod.Of(type, BackupTimes.Of(backup)))
            .ToHashSet();
        var places = 0;
        foreach (var backup in newestFirst)
        {
            if (places == count)
                return;
            var manual = backup.SnapshotType == SnapshotType.Manual;
            if (manual ? !taken.Add(RotationPeriod.Of(type, BackupTimes.Of(backup))) : backup.SnapshotType != type)
                continue;
            places++;
            Keep(
                backup,
                manual
                    ? $"{type.ToText()} {places} of {count}: the newest of "
                        + $"{RotationPeriod.Describe(type, BackupTimes.Of(backup))}"
                    : $"{type.ToText()} {places} of {count}"
            );
        }
    }

    /// <summary>
    /// By its own time, and by when it came: the one is the newest state, the other what the next incremental starts
    /// from if a clock was wrong.
    /// </summary>
    private void KeepNewest(List<SnapshotInfo> newestFirst)
    {
        Keep(newestFirst[0], "the newest of its dataset");
        Keep(newestFirst.OrderByDescending(backup => backup.ReceivedAt).First(), "the last of its dataset that came");
        foreach (var type in SnapshotTypes.Classes)
        {
            if (newestFirst.Find(backup => backup.SnapshotType == type) is { } newest)
                Keep(newest, $"the newest {type.ToText()} one of its dataset");
        }
    }

    private void KeepProtected(
        IReadOnlySet<SnapshotGuid> openBases,
        DateTimeOffset now,
        IReadOnlyDictionary<string, string>? obstacles
    )
    {
        foreach (var backup in _backups)
        {
            if (backup.Pinned)
                Keep(backup, "it is pinned");
            else if (backup.LockedUntil > now)
                Keep(
                    backup,
                    $"the store lets nobody delete it until {Timestamps.ToMinute(backup.LockedUntil.Value)}"
                );
            else if (openBases.Contains(backup.SnapshotGuid))
                Keep(backup, "an upload that is under way starts from it");
            else if (obstacles?.GetValueOrDefault(backup.SnapshotId) is { } obstacle)
                Keep(backup, obstacle);
        }
    }

    private void KeepBases()
    {
        foreach (
            var backup in _backups
                .Where(backup => _kept.ContainsKey(backup.SnapshotId))
                .OrderBy(backup => backup.SnapshotId, StringComparer.Ordinal)
                .ToList()
        )
        {
            for (
                var (above, below) = (backup, _chains.BaseOf(backup));
                below is not null && Keep(below, $"{above.SnapshotId} needs it");
                (above, below) = (below, _chains.BaseOf(below))
            )
            {
                // Down the chain, as far as nobody has gone before.
            }
        }
    }

    /// <returns>False where it was kept already.</returns>
    private bool Keep(SnapshotInfo backup, string reason) => _kept.TryAdd(backup.SnapshotId, reason);

    private List<RotationDecision<SnapshotInfo>> Decide(string whyNot) =>
        [
            .. _datasets
                .SelectMany(newestFirst => newestFirst)
                .Select(backup =>
                    _kept.TryGetValue(backup.SnapshotId, out var reason)
                        ? new RotationDecision<SnapshotInfo>(backup, true, reason)
                        : new RotationDecision<SnapshotInfo>(backup, false, whyNot)
                ),
        ];
}
