using System.Runtime.ExceptionServices;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Backs up one dataset or several: their snapshots are made at the same moment, then sent one after another, each as a
/// chain of its own. A dataset that fails does not stop the others; a server that cannot be reached ends the run
/// (docs/decisions/0028-failure-kinds.md).
/// </summary>
internal sealed class BackupSet(BackupRun run)
{
    /// <summary>So many snapshots are destroyed in the time that a run has to end after Ctrl-C.</summary>
    private const int MostRemoved = 100;

    /// <summary>So many datasets in a row that the server does not take are a fault of the server.</summary>
    private const int MostUntakenInARow = 10;

    /// <summary>How long the server is given after it did not take the dataset before.</summary>
    private static readonly TimeSpan ShortRetryTime = TimeSpan.FromMinutes(1);

    private readonly DatasetFailures _failures = new(run.Settings.Selection, run.Output, "is not backed up");
    private readonly List<BackupResult> _results = [];
    private SnapshotLifecycle? _lifecycle;
    private LocalSnapshots? _localSnapshots;
    private LocalProperties? _localProperties;
    private IReadOnlyList<DatasetFacts> _taken = [];
    private IReadOnlyList<LeftOutDataset> _leftOut = [];
    private JointSnapshotResult _made = JointSnapshotResult.Of([]);

    /// <summary>Datasets since the last success that the server did not take, although it answers.</summary>
    private int _untaken;

    /// <summary>What the server has of this client, with the backups that were made.</summary>
    public ServerInventory Inventory { get; } =
        new(
            run.Server,
            run.Settings,
            run.Options.TakesOver,
            ServerRetry.Create(run.Settings.RetryTime, run.Output, run.Time),
            run.Time
        );

    private SnapshotLifecycle Snapshots => _lifecycle ??= new(run.Settings.Zfs, Inventory, run.Output);

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
        await FetchAsync(selected.LeftOut, cancellationToken);
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
        (_taken, _leftOut) = (datasets, selected.LeftOut);
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
        if (datasets.Count > 0 || _leftOut.Count > 0)
            await FetchAsync(_leftOut, cancellationToken); // the mark names the server
        if (datasets.Count > 0)
        {
            var made = JointSnapshotResult.Of([]) with
            {
                Created = [.. datasets.Select(dataset => created[dataset.Name])],
            };
            var marked = await Snapshots.MarkAsync(made, cancellationToken);
            await SendAllAsync(datasets, marked, cancellationToken);
        }

        return Describe();
    }

    private async Task FetchAsync(IReadOnlyList<LeftOutDataset> leftOut, CancellationToken cancellationToken)
    {
        await Inventory.FetchAsync(cancellationToken);
        if (leftOut.Count == 0)
            return;
        var (index, _) = await Inventory.GetIndexAsync(cancellationToken);
        if (LeftOutBackups.Describe(leftOut, index.FindLast) is var (message, remedy))
            run.Output.Warn($"{message} {remedy}");
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
            await TryAsync(dataset, backup => backup.DescribeAsync(name, cancellationToken), cancellationToken);
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
                await TryAsync(dataset, backup => backup.RunAsync(snapshot, cancellationToken), cancellationToken);
            }
        }
        finally
        {
            await Snapshots.FinishAsync();
            await RemoveAsync([.. waiting.Select(dataset => snapshots[dataset.Name])]);
        }
    }

    /// <summary>Nothing of these was sent. Those of a class stay; for others, the next run makes newer ones.</summary>
    private async Task RemoveAsync(IReadOnlyList<LocalSnapshot> unsent)
    {
        var most = HasClass ? unsent.Count : MostRemoved; // no command for each is needed to keep them
        if (unsent.Count > most)
            run.Output.Note($"{unsent.Count - most} snapshots that were not sent stay; the next run removes them.");
        await Snapshots.RemoveAsync([.. unsent.Take(most)]);
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

    private async Task TryAsync(
        DatasetFacts dataset,
        Func<DatasetBackup, Task<BackupResult>> step,
        CancellationToken cancellationToken
    )
    {
        var backup = new DatasetBackup(
            dataset,
            _untaken == 0 ? run : WithShortRetryTime(),
            Inventory,
            _localSnapshots!,
            _localProperties!,
            Snapshots
        );
        try
        {
            _results.Add(await step(backup));
            _untaken = 0;
        }
        catch (Exception e) when (_failures.Spares(e))
        {
            _failures.Add(dataset.Name, e);
        }
        catch (OperationException e) when (MayBeOfOneDataset(e))
        {
            await DemandServerAsync(e, cancellationToken);
            _failures.Add(dataset.Name, e);
        }
    }

    /// <summary>
    /// Whether retries for a whole RETRY_TIME failed by what the server, or a proxy, does with this dataset: its target
    /// is in use, a fault in the server's code, a part that never gets through. What the server says of itself is not.
    /// </summary>
    private bool MayBeOfOneDataset(OperationException e) =>
        !run.Settings.Selection.IsSingle
        && e.Kind == FailureKind.Transient
        && (e as UploadInterruptedException)?.InnerException is var cause
        && (cause ?? e)
            is not (
                ZfsException
                or ApiException { Code: "server_stopping" or "storage_unavailable" or "too_many_failures" }
            );

    /// <exception cref="OperationException">The failure: the server does not answer, or takes nothing at
    /// all.</exception>
    private async Task DemandServerAsync(OperationException failure, CancellationToken cancellationToken)
    {
        _untaken++;
        var answers = _untaken < MostUntakenInARow;
        try
        {
            await run.Server.GetStatusAsync(cancellationToken);
        }
        catch (OperationException)
        {
            answers = false;
        }

        if (!answers)
            ExceptionDispatchInfo.Throw(failure);
    }

    private BackupRun WithShortRetryTime() =>
        run.Settings.RetryTime <= ShortRetryTime
            ? run
            : run with
            {
                Settings = run.Settings with { RetryTime = ShortRetryTime },
            };
}
