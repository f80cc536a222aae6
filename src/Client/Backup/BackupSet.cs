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
/// chain of its own. A dataset that fails does not stop the others; a server that cannot be reached ends the run.
/// </summary>
internal sealed class BackupSet(
    ClientSettings settings,
    ApiClient server,
    Output output,
    BackupOptions options,
    TimeProvider time
)
{
    private readonly ServerInventory _inventory = new(
        server,
        settings,
        options.TakesOver,
        ServerRetry.Create(settings.RetryTime, output, time),
        time
    );
    private readonly List<DatasetFailure> _failures = [];

    private SnapshotLifecycle Snapshots => new(settings.Zfs, _inventory, output);

    /// <exception cref="OperationException">The only dataset failed, or the server cannot be reached.</exception>
    public async Task<BackupSetResult> RunAsync(CancellationToken cancellationToken)
    {
        var datasets = await settings.Selection.ListAsync(settings.Zfs, cancellationToken);
        List<DatasetBackup> backups = [];
        foreach (var dataset in datasets)
            backups.Add(new DatasetBackup(dataset, settings, server, _inventory, output, options, time));
        try
        {
            return new BackupSetResult
            {
                DryRun = options.DryRun,
                Results = await BackUpAsync(backups, cancellationToken),
                Failures = _failures,
            };
        }
        finally
        {
            backups.ForEach(backup => backup.Dispose());
        }
    }

    private async Task<List<BackupResult>> BackUpAsync(List<DatasetBackup> backups, CancellationToken cancellationToken)
    {
        // All locks first: preparing may resume an upload for hours, and another run must not begin meanwhile.
        foreach (var backup in backups)
            TryLock(backup);
        await _inventory.IdentifyAsync(cancellationToken);
        foreach (var backup in WithoutFailure(backups))
            await TryAsync(backup, () => backup.PrepareAsync(cancellationToken));

        List<BackupResult> results = [];
        List<DatasetBackup> remaining = [];
        foreach (var backup in WithoutFailure(backups))
        {
            if (backup.Result is { } result)
                results.Add(result);
            else
                remaining.Add(backup);
        }

        var names = SnapshotNaming.Choose(
            remaining.Select(backup => backup.Dataset),
            settings.SnapshotPrefix,
            options.Type,
            time.GetUtcNow(),
            remaining.SelectMany(backup => backup.ExistingNames)
        );
        if (options.DryRun)
            results.AddRange(remaining.Zip(names, (backup, name) => backup.Describe(name)));
        else
            results.AddRange(await SendAllAsync(remaining, names, cancellationToken));
        return results;
    }

    private async Task<List<BackupResult>> SendAllAsync(
        List<DatasetBackup> backups,
        IReadOnlyList<SnapshotName> names,
        CancellationToken cancellationToken
    )
    {
        var created = await Snapshots.CreateAsync(names, options.Type, cancellationToken);
        var snapshots = created.ToDictionary(snapshot => snapshot.Name.Dataset);
        List<BackupResult> results = [];
        var waiting = new Queue<DatasetBackup>(backups);
        try
        {
            while (waiting.TryDequeue(out var backup))
            {
                var snapshot = snapshots[backup.Dataset];
                await TryAsync(backup, async () => results.Add(await backup.SendAsync(snapshot, cancellationToken)));
            }

            return results;
        }
        catch
        {
            // Nothing of these was sent, and the next run makes newer snapshots.
            foreach (var backup in waiting)
                await Snapshots.RemoveAsync(snapshots[backup.Dataset]);
            throw;
        }
    }

    private List<DatasetBackup> WithoutFailure(List<DatasetBackup> backups) =>
        backups.FindAll(backup => _failures.TrueForAll(failure => failure.Dataset != backup.Dataset.Value));

    private void TryLock(DatasetBackup backup)
    {
        try
        {
            backup.Lock();
        }
        catch (Exception e) when (SparesOthers(e))
        {
            AddFailure(backup, e);
        }
    }

    private async Task TryAsync(DatasetBackup backup, Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (Exception e) when (SparesOthers(e))
        {
            AddFailure(backup, e);
        }
    }

    private void AddFailure(DatasetBackup backup, Exception e)
    {
        var failure = DatasetFailure.Of(backup.Dataset, e);
        output.Note($"{backup.Dataset} is not backed up: {failure.Message}");
        _failures.Add(failure);
    }

    /// <summary>
    /// Whether the other datasets can still be backed up. The failure of a single dataset is the run's; and one of the
    /// server, of the whole client or by the user would meet the others too.
    /// </summary>
    private bool SparesOthers(Exception e) =>
        !settings.Selection.IsSingle && FailureKinds.Of(e) is FailureKind.Dataset or FailureKind.Stream;
}
