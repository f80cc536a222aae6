using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Backs up one dataset or several: their snapshots are made at the same moment, then sent one after another, each as a
/// chain of its own. A dataset that fails does not stop the others; a server that cannot be reached ends the run.
/// </summary>
internal sealed class BackupSet(BackupRun run)
{
    /// <summary>So many snapshots are destroyed in the time that a run has to end after Ctrl-C.</summary>
    private const int MostRemoved = 100;

    private readonly ServerInventory _inventory = new(
        run.Server,
        run.Settings,
        run.Options.TakesOver,
        ServerRetry.Create(run.Settings.RetryTime, run.Output, run.Time),
        run.Time
    );

    private readonly DatasetFailures _failures = new(run.Settings.Selection, run.Output, "is not backed up");
    private readonly List<BackupResult> _results = [];
    private SnapshotLifecycle? _lifecycle;
    private LocalSnapshots? _localSnapshots;
    private LocalProperties? _localProperties;
    private IReadOnlyList<DatasetFacts> _taken = [];
    private JointSnapshotResult _made = JointSnapshotResult.Of([]);

    private SnapshotLifecycle Snapshots => _lifecycle ??= new(run.Settings.Zfs, _inventory, run.Output);

    /// <summary>Whether the new snapshots stay here whatever becomes of their backups.</summary>
    private bool HasClass => run.Options.Type != SnapshotType.Manual;

    /// <param name="selected">The datasets, and those that are known to fail.</param>
    /// <exception cref="OperationException">The only dataset failed, or the server cannot be reached.</exception>
    public async Task<BackupSetResult> RunAsync(SelectedDatasets selected, CancellationToken cancellationToken)
    {
        // A snapshot of a class stays here, so it is made even if the server cannot be reached. Others are of no use
        // without it.
        if (HasClass && !run.Options.DryRun)
        {
            await TakeAsync(selected, cancellationToken);
            return await SendAsync(cancellationToken);
        }

        var datasets = _failures.Take(selected);
        using var locks = new DatasetLocks(run.Settings.Zfs);
        datasets = [.. datasets.Where(dataset => TryLock(locks, dataset.Name))];
        await _inventory.FetchAsync(cancellationToken);
        var names = new SnapshotNames(run.Settings, run.Time);
        var leaf = await names.ChooseAsync(datasets, run.Options.Type, cancellationToken);
        datasets = _failures.Without(datasets, dataset => DatasetCheck.FindObstacleToBackup(dataset, leaf));
        if (run.Options.DryRun)
            await DescribeAsync(datasets, leaf, cancellationToken);
        else if (datasets.Count > 0)
            await BackUpAsync(datasets, leaf, cancellationToken);
        return Describe();
    }

    /// <summary>
    /// Takes the snapshots of a class. Needs neither the server nor the lock of a run that is still sending, so that
    /// none is missed.
    /// </summary>
    /// <param name="selected">The datasets, and those that are known to fail.</param>
    /// <returns>The snapshots.</returns>
    /// <exception cref="OperationException">The only dataset failed.</exception>
    public async Task<IReadOnlyList<SnapshotName>> TakeAsync(
        SelectedDatasets selected,
        CancellationToken cancellationToken
    )
    {
        var datasets = _failures.Take(selected);
        var leaf = await new SnapshotNames(run.Settings, run.Time).ChooseAsync(
            datasets,
            run.Options.Type,
            cancellationToken
        );
        datasets = _failures.Without(datasets, dataset => DatasetCheck.FindObstacleToSnapshot(dataset, leaf));
        var names = datasets.Select(dataset => SnapshotName.Snapshot(dataset.Name, leaf));
        _made = await run.Settings.Zfs.CreateSnapshotsAsync(names, run.Options.Type, null, cancellationToken);
        SnapshotLifecycle.WarnOfMoments(run.Output, _made);
        foreach (var (dataset, failure) in _made.Failures)
            _failures.Add(dataset, failure);
        _taken = datasets;
        return [.. _made.Created.Select(snapshot => snapshot.Name)];
    }

    /// <summary>Sends the snapshots that were taken.</summary>
    /// <exception cref="OperationException">The only dataset failed, or the server cannot be reached.</exception>
    public async Task<BackupSetResult> SendAsync(CancellationToken cancellationToken)
    {
        var created = _made.Created.ToDictionary(snapshot => snapshot.Name.Dataset);
        var datasets = _failures.Without(_taken.Where(dataset => created.ContainsKey(dataset.Name)), dataset =>
            DatasetCheck.FindObstacleToBackup(dataset, created[dataset.Name].Name.Leaf)
        );
        using var locks = new DatasetLocks(run.Settings.Zfs);
        datasets = [.. datasets.Where(dataset => TryLock(locks, dataset.Name))];
        if (datasets.Count > 0)
        {
            await _inventory.FetchAsync(cancellationToken); // the mark names the server
            var made = JointSnapshotResult.Of([]) with
            {
                Created = [.. datasets.Select(dataset => created[dataset.Name])],
            };
            var marked = await Snapshots.MarkAsync(made, cancellationToken);
            await SendAllAsync(datasets, marked, cancellationToken);
        }

        return Describe();
    }

    private BackupSetResult Describe() =>
        new()
        {
            DryRun = run.Options.DryRun,
            Results = _results,
            Failures = _failures.All,
        };

    private async Task DescribeAsync(
        IReadOnlyList<DatasetFacts> datasets,
        string leaf,
        CancellationToken cancellationToken
    )
    {
        Look(datasets);
        foreach (var dataset in datasets)
        {
            var name = SnapshotName.Snapshot(dataset.Name, leaf);
            await TryAsync(dataset, async backup => await backup.DescribeAsync(name, cancellationToken));
        }
    }

    private async Task BackUpAsync(
        IReadOnlyList<DatasetFacts> datasets,
        string leaf,
        CancellationToken cancellationToken
    )
    {
        var names = datasets.Select(dataset => SnapshotName.Snapshot(dataset.Name, leaf));
        var made = await Snapshots.CreateAsync(names, run.Options.Type, cancellationToken);
        await SendAllAsync(datasets, made, cancellationToken);
    }

    private async Task SendAllAsync(
        IReadOnlyList<DatasetFacts> datasets,
        JointSnapshotResult made,
        CancellationToken cancellationToken
    )
    {
        var snapshots = made.Created.ToDictionary(snapshot => snapshot.Name.Dataset);
        var waiting = new Queue<DatasetFacts>(datasets.Where(dataset => snapshots.ContainsKey(dataset.Name)));
        try
        {
            foreach (var (dataset, failure) in made.Failures)
                _failures.Add(dataset, failure);
            Look([.. waiting]);
            while (waiting.TryDequeue(out var dataset))
            {
                var snapshot = snapshots[dataset.Name];
                await TryAsync(dataset, backup => backup.RunAsync(snapshot, cancellationToken));
            }
        }
        finally
        {
            await Snapshots.FinishAsync();
            await RemoveAsync([.. waiting.Select(dataset => snapshots[dataset.Name])]);
        }
    }

    /// <summary>Nothing of these was sent, and the next run makes newer snapshots.</summary>
    private async Task RemoveAsync(IReadOnlyList<LocalSnapshot> unsent)
    {
        if (unsent.Count > MostRemoved)
            run.Output.Note(
                $"{unsent.Count - MostRemoved} snapshots that were not sent stay; the next run removes them."
            );
        await Snapshots.RemoveAsync([.. unsent.Take(MostRemoved)]);
    }

    private void Look(IReadOnlyList<DatasetFacts> datasets)
    {
        DatasetName[] order = [.. datasets.Select(dataset => dataset.Name)];
        _localSnapshots = new LocalSnapshots(run.Settings.Zfs, order, run.Time);
        _localProperties = new LocalProperties(run.Settings.Zfs, order, run.Time);
    }

    private bool TryLock(DatasetLocks locks, DatasetName dataset)
    {
        try
        {
            locks.Acquire(dataset);
            return true;
        }
        catch (Exception e) when (_failures.Spares(e))
        {
            _failures.Add(dataset, e);
            return false;
        }
    }

    private async Task TryAsync(DatasetFacts dataset, Func<DatasetBackup, Task<BackupResult>> step)
    {
        try
        {
            _results.Add(
                await step(new DatasetBackup(dataset, run, _inventory, _localSnapshots!, _localProperties!, Snapshots))
            );
        }
        catch (Exception e) when (_failures.Spares(e))
        {
            _failures.Add(dataset.Name, e);
        }
    }
}
