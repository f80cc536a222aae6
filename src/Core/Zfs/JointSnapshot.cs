using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// Makes snapshots of many datasets of one pool at the same moment: nothing is written to any of them between (one
/// transaction group, zfs-snapshot(8)). <c>zfs snapshot</c> makes all or none, so the datasets that ZFS refuses are
/// found, left out, and the rest is tried again.
/// </summary>
/// <param name="zfs">Where they are.</param>
/// <param name="properties">Properties (<c>name=value</c>) of the snapshots.</param>
public sealed class JointSnapshot(ZfsHost zfs, IEnumerable<string> properties)
{
    /// <summary>
    /// Messages about a pool, for which leaving out datasets does not help (lib/libzfs/libzfs_util.c).
    /// </summary>
    private static readonly string[] OfPool =
    [
        "pool I/O is currently suspended",
        "cannot create snapshots : out of space",
        "read-only",
        "no such pool",
    ];

    private readonly string[] _options = ["snapshot", .. properties.SelectMany(property => new[] { "-o", property })];
    private readonly List<SnapshotName> _made = [];
    private readonly Dictionary<DatasetName, OperationException> _failures = [];

    /// <summary>
    /// Those at or below a dataset whose <c>snapshot_limit</c> has no room for all of them.
    /// </summary>
    private readonly List<(SnapshotName Name, string Limited)> _limited = [];

    /// <summary>Commands that may fail without naming a dataset before the rest is given up.</summary>
    private int _searches = 64;

    private int _moments;

    /// <param name="names">All of one pool, one for each dataset.</param>
    /// <exception cref="OperationException"><c>zfs</c> does not run, or the other machine cannot be
    /// reached.</exception>
    public async Task<JointSnapshotResult> CreateAsync(
        IReadOnlyCollection<SnapshotName> names,
        CancellationToken cancellationToken
    )
    {
        var byText = names.ToDictionary(name => name.ToString(), StringComparer.Ordinal);
        foreach (var some in NameBatches.Split(byText.Keys, NameBatches.AllArguments))
            await CreateJointlyAsync([.. some.Select(text => byText[text])], cancellationToken);
        await CreateLimitedAsync(cancellationToken);

        Dictionary<SnapshotName, LocalSnapshot> found = [];
        // They exist now, so that the caller must learn of them even if the user interrupts.
        var refusals = await zfs.FindSnapshotsAsync(
            _made,
            snapshot => found[snapshot.Name] = snapshot,
            CancellationToken.None
        );
        foreach (var name in _made.Where(name => !found.ContainsKey(name)))
            Fail(name, refusals.Find(name) ?? Vanished(name.Dataset));
        return new JointSnapshotResult(
            [.. names.Where(found.ContainsKey).Select(name => found[name])],
            _failures,
            _moments > 1 ? [names.First().Dataset.Pool] : []
        );
    }

    private static OperationException Vanished(DatasetName dataset) =>
        new(ExitCode.Zfs, $"{dataset} no longer exists.", "If it was destroyed on purpose, nothing is to be done.");

    private static bool IsOfPool(ZfsException e) =>
        OfPool.Any(words => e.StandardError.Contains(words, StringComparison.Ordinal));

    private async Task CreateJointlyAsync(List<SnapshotName> names, CancellationToken cancellationToken)
    {
        while (names.Count > 0)
        {
            if (await TryAsync(names, cancellationToken) is not { } e)
            {
                _made.AddRange(names);
                _moments++;
                return;
            }

            var rest = await LeaveOutAsync(names, e, cancellationToken);
            if (rest.Count < names.Count)
            {
                names = rest;
                continue;
            }

            _searches--;
            if (names.Count == 1 || _searches <= 0 || IsOfPool(e))
            {
                names.ForEach(name => Fail(name, e));
                return;
            }

            // ZFS does not name the dataset for which a permission is missing (zfs_secpolicy_snapshot).
            var half = names.Count / 2;
            await CreateJointlyAsync(names[..half], cancellationToken);
            names = names[half..];
        }
    }

    /// <returns>The failure; null if the snapshots were made.</returns>
    private async Task<ZfsException?> TryAsync(IReadOnlyList<SnapshotName> names, CancellationToken cancellationToken)
    {
        try
        {
            string[] all = [.. names.Select(name => name.ToString())];
            await zfs.RunForAllAtOnceAsync(_options, all, cancellationToken);
            return null;
        }
        catch (ZfsException e) when (e.End == ZfsEnd.Refused)
        {
            return e;
        }
    }

    /// <returns>Those that are still to be tried together.</returns>
    private async Task<List<SnapshotName>> LeaveOutAsync(
        List<SnapshotName> names,
        ZfsException e,
        CancellationToken cancellationToken
    )
    {
        var bySnapshot = names.ToDictionary(name => name.ToString(), StringComparer.Ordinal);
        var leftOut = new HashSet<SnapshotName>();
        foreach (var (text, line) in ZfsErrorLines.Read(e.StandardError))
        {
            if (bySnapshot.TryGetValue(text, out var snapshot))
                Refuse(snapshot, line);
            else if (line.StartsWith("cannot create snapshot ", StringComparison.Ordinal))
                leftOut.UnionWith(SetAside(names, text));
            else
                names.FindAll(name => name.Dataset.Value == text).ForEach(name => Refuse(name, line));
        }

        var rest = names.FindAll(name => !leftOut.Contains(name));
        if (leftOut.Count > 0 && e.StandardError.Contains("cannot open ", StringComparison.Ordinal))
            return await WithoutVanishedAsync(rest, cancellationToken);
        return rest;

        void Refuse(SnapshotName name, string line)
        {
            Fail(name, new ZfsException([.. _options, name.ToString()], e.CommandExitCode, line, zfs.Remote));
            leftOut.Add(name);
        }
    }

    /// <summary>
    /// Where a <c>snapshot_limit</c> is reached, ZFS names the dataset that has it (dsl_dataset_snapshot_check in
    /// module/zfs/dsl_dataset.c), which may be above those that are to be snapshotted.
    /// </summary>
    private List<SnapshotName> SetAside(List<SnapshotName> names, string limited)
    {
        var concerned = names.FindAll(name =>
            name.Dataset.Value == limited || name.Dataset.Value.StartsWith(limited + "/", StringComparison.Ordinal)
        );
        _limited.AddRange(concerned.Select(name => (name, limited)));
        return concerned;
    }

    /// <summary>Each by itself, as long as the limit has room.</summary>
    private async Task CreateLimitedAsync(CancellationToken cancellationToken)
    {
        var full = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, limited) in _limited)
        {
            if (!full.Contains(limited))
            {
                if (await TryAsync([name], cancellationToken) is null)
                {
                    _made.Add(name);
                    _moments++;
                    continue;
                }

                full.Add(limited);
            }

            Fail(
                name,
                new OperationException(
                    ExitCode.Zfs,
                    $"{name} cannot be made: the snapshot_limit of {limited} is reached.",
                    $"See 'zfs get snapshot_limit,snapshot_count {limited}': destroy snapshots below it, or raise the "
                        + "limit."
                )
            );
        }
    }

    /// <summary>ZFS names only the first of several that no longer exist.</summary>
    private async Task<List<SnapshotName>> WithoutVanishedAsync(
        List<SnapshotName> names,
        CancellationToken cancellationToken
    )
    {
        var existing = new HashSet<string>(StringComparer.Ordinal);
        var refusals = await zfs.RunForAllAsync(
            ["list", "-H", "-t", "filesystem,volume", "-o", "name"],
            names.Select(name => name.Dataset.Value),
            row => existing.Add(row[0]),
            cancellationToken
        );
        foreach (var name in names.Where(name => !existing.Contains(name.Dataset.Value)))
            Fail(name, refusals.Find(name.Dataset) ?? Vanished(name.Dataset));
        return names.FindAll(name => existing.Contains(name.Dataset.Value));
    }

    private void Fail(SnapshotName name, OperationException e) => _failures.TryAdd(name.Dataset, e);
}
