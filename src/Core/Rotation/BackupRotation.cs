using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// Decides which backups of a client a policy keeps, from lists alone, without I/O. The order in which the backups are
/// given does not matter.
/// </summary>
public sealed class BackupRotation
{
    private readonly Dictionary<string, string> _kept = new(StringComparer.Ordinal); // reason by id
    private readonly HashSet<string> _others = new(StringComparer.Ordinal); // ids of what another machine rotates
    private readonly IReadOnlyCollection<SnapshotInfo> _backups;
    private readonly BackupChains _chains;
    private readonly List<List<SnapshotInfo>> _datasets; // each with its newest backup first, by its own time
    private readonly Dictionary<string, SnapshotInfo> _latest; // by dataset, what a restore chooses

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
        _latest = new BackupOrder(backups, chains)
            .NewestFirst.DistinctBy(backup => backup.DatasetName, StringComparer.Ordinal)
            .ToDictionary(backup => backup.DatasetName, StringComparer.Ordinal);
    }

    /// <param name="backups">All of one client's.</param>
    /// <param name="policy">How many of each class stay, of each dataset.</param>
    /// <param name="openBases">Snapshots that open uploads start from.</param>
    /// <param name="now">The server's time, which retention deadlines are compared with.</param>
    /// <param name="chains">The chains of all of these backups, if the caller has them already.</param>
    /// <param name="obstacles">By id, why the store would not delete a backup now; null: no such reason is
    /// known.</param>
    /// <param name="machineId">The machine that asks: what another one backs up is not its to delete. Null: all
    /// datasets are rotated.</param>
    /// <returns>One decision for each backup, the newest of each dataset first.</returns>
    public static IReadOnlyList<RotationDecision<SnapshotInfo>> Plan(
        IReadOnlyCollection<SnapshotInfo> backups,
        RotationPolicy policy,
        IReadOnlySet<SnapshotGuid> openBases,
        DateTimeOffset now,
        BackupChains? chains = null,
        IReadOnlyDictionary<string, string>? obstacles = null,
        string? machineId = null
    )
    {
        var rotation = new BackupRotation(backups, chains ?? new BackupChains(backups));
        foreach (var dataset in rotation._datasets)
        {
            rotation.KeepOfOtherMachine(machineId, dataset);
            rotation.KeepByPolicy(policy, dataset);
        }

        rotation.KeepProtected(openBases, now, obstacles);
        rotation.KeepBases();
        return rotation.Decide("the policy does not keep it");
    }

    /// <summary>
    /// What may be deleted to free space if the server has no policy that says what must stay: all but the newest
    /// chain of each dataset.
    /// </summary>
    /// <inheritdoc cref="Plan"/>
    public static IReadOnlyList<RotationDecision<SnapshotInfo>> PlanForSpace(
        IReadOnlyCollection<SnapshotInfo> backups,
        IReadOnlySet<SnapshotGuid> openBases,
        DateTimeOffset now,
        BackupChains? chains = null,
        IReadOnlyDictionary<string, string>? obstacles = null,
        string? machineId = null
    )
    {
        var rotation = new BackupRotation(backups, chains ?? new BackupChains(backups));
        foreach (var dataset in rotation._datasets)
        {
            rotation.KeepOfOtherMachine(machineId, dataset);
            rotation.KeepNewest(dataset);
        }

        rotation.KeepProtected(openBases, now, obstacles);
        rotation.KeepBases();
        return rotation.Decide("it may be deleted to free space");
    }

    /// <summary>
    /// A dataset belongs to the machine that its last backup came from: one that has taken it over rotates the backups
    /// of its predecessor too.
    /// </summary>
    private void KeepOfOtherMachine(string? machineId, List<SnapshotInfo> dataset)
    {
        var last = dataset.Where(backup => backup.MachineId is not null).MaxBy(backup => backup.ReceivedAt);
        if (machineId is null || last is null || last.MachineId == machineId)
            return;
        foreach (var backup in dataset)
        {
            _others.Add(backup.SnapshotId);
            Keep(backup, $"its dataset is backed up by another machine, {last.MachineName}");
        }
    }

    private void KeepByPolicy(RotationPolicy policy, List<SnapshotInfo> newestFirst)
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
        var covered = newestFirst
            .Where(backup => backup.SnapshotType == type)
            .Select(backup => RotationPeriod.Of(type, BackupOrder.TimeOf(backup)))
            .ToHashSet();
        var kept = 0;
        foreach (var backup in newestFirst)
        {
            if (kept == count)
                return;
            if (backup.SnapshotType == type)
            {
                kept++;
                Keep(backup, $"{type.ToText()} {kept} of {count}");
                continue;
            }

            var isManual = backup.SnapshotType == SnapshotType.Manual;
            if (!isManual || !covered.Add(RotationPeriod.Of(type, BackupOrder.TimeOf(backup))))
                continue;
            kept++;
            var period = RotationPeriod.Describe(type, BackupOrder.TimeOf(backup));
            Keep(backup, $"{type.ToText()} {kept} of {count}: the newest of {period}");
        }
    }

    /// <summary>
    /// The newest by its own time is the newest state of the dataset. If a clock was wrong, it is another one: the one
    /// that arrived last, or was built on it, which the next incremental starts from and <c>latest</c> restores.
    /// </summary>
    private void KeepNewest(List<SnapshotInfo> newestFirst)
    {
        Keep(newestFirst[0], "the newest of its dataset");
        Keep(
            newestFirst.OrderByDescending(backup => backup.ReceivedAt).First(),
            "the last of its dataset that was received"
        );
        Keep(_latest[newestFirst[0].DatasetName], "the last of its dataset's history, which 'latest' restores");
        foreach (var type in SnapshotTypes.Classes)
        {
            if (newestFirst.Find(backup => backup.SnapshotType == type) is { } newest)
                Keep(newest, $"the newest {type.ToText()} backup of its dataset");
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
                    $"the store protects it from deletion until {Timestamps.ToMinute(backup.LockedUntil.Value)}"
                );
            else if (openBases.Contains(backup.SnapshotGuid))
                Keep(backup, "an open upload starts from it");
            else if (obstacles?.GetValueOrDefault(backup.SnapshotId) is { } obstacle)
                Keep(backup, obstacle);
        }
    }

    /// <summary>Keeps what the kept backups are restored on.</summary>
    private void KeepBases()
    {
        var kept = _backups
            .Where(backup => _kept.ContainsKey(backup.SnapshotId))
            .OrderBy(backup => backup.SnapshotId, StringComparer.Ordinal)
            .ToList();
        foreach (var backup in kept)
            KeepBasesOf(backup);
    }

    /// <summary>
    /// Follows the chain down to the first backup that is kept already: its own bases have their turn.
    /// </summary>
    private void KeepBasesOf(SnapshotInfo backup)
    {
        var dependent = backup;
        while (_chains.BaseOf(dependent) is { } needed)
        {
            // Those of plain 'backup' fill slots up to twelve months back: what they keep may surprise.
            var type = dependent.SnapshotType == SnapshotType.Manual ? " (manual)" : "";
            if (!Keep(needed, $"{dependent.SnapshotId}{type} needs it"))
                return;
            dependent = needed;
        }
    }

    /// <returns>False if it was kept already.</returns>
    private bool Keep(SnapshotInfo backup, string reason) => _kept.TryAdd(backup.SnapshotId, reason);

    private List<RotationDecision<SnapshotInfo>> Decide(string otherwise) =>
        [
            .. _datasets
                .SelectMany(newestFirst => newestFirst)
                .Select(backup =>
                    _kept.TryGetValue(backup.SnapshotId, out var reason)
                        ? new RotationDecision<SnapshotInfo>(backup, true, reason)
                        {
                            IsOthers = _others.Contains(backup.SnapshotId),
                        }
                        : new RotationDecision<SnapshotInfo>(backup, false, otherwise)
                ),
        ];
}
