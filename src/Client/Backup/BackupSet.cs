using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// One backup of one dataset or of many: their snapshots are made in one moment, then they are sent one after another,
/// each as a chain of its own. One that fails keeps no other from its backup; a server that is away ends the run.
/// </summary>
internal sealed class BackupSet(
    ClientSettings settings,
    ApiClient server,
    Output output,
    BackupOptions options,
    TimeProvider time
)
{
    private readonly SnapshotCare _care = new(settings.Zfs, output);
    private readonly List<DatasetFailure> _failures = [];

    /// <exception cref="OperationException">The only dataset failed, or the server is away.</exception>
    public async Task<BackupSetResult> RunAsync(CancellationToken cancellationToken)
    {
        var datasets = await settings.Selection.ListAsync(settings.Zfs, cancellationToken);
        var lists = new ServerLists(server, settings.StorageType, time);
        List<DatasetBackup> backups =
        [
            .. datasets.Select(dataset => new DatasetBackup(dataset, settings, server, lists, output, options, time)),
        ];
        try
        {
            foreach (var backup in backups)
                await TryAsync(backup, () => Run(backup.Lock));
            foreach (var backup in Going(backups))
                await TryAsync(backup, () => backup.PrepareAsync(cancellationToken));
            var done = Going(backups).Select(backup => backup.Result).OfType<BackupResult>().ToList();
            var next = Going(backups).Where(backup => backup.Result is null).ToList();
            var names = SnapshotNaming.Choose(
                next.Select(backup => backup.Dataset),
                settings.SnapshotPrefix,
                options.Type,
                time.GetUtcNow(),
                next.SelectMany(backup => backup.TakenNames)
            );
            done.AddRange(
                options.DryRun
                    ? next.Zip(names, (backup, name) => backup.Describe(name))
                    : await SendAllAsync(next, names, cancellationToken)
            );
            return new BackupSetResult
            {
                DryRun = options.DryRun,
                Results = done,
                Failures = _failures,
            };
        }
        finally
        {
            backups.ForEach(backup => backup.Dispose());
        }

        static Task Run(Action action)
        {
            action();
            return Task.CompletedTask;
        }
    }

    private async Task<List<BackupResult>> SendAllAsync(
        List<DatasetBackup> backups,
        IReadOnlyList<SnapshotName> names,
        CancellationToken cancellationToken
    )
    {
        var snapshots = (await _care.CreateAsync(names, options.Type, cancellationToken)).ToDictionary(snapshot =>
            snapshot.Name.Dataset
        );
        List<BackupResult> done = [];
        var waiting = new Queue<DatasetBackup>(backups);
        try
        {
            while (waiting.TryDequeue(out var backup))
                await TryAsync(backup, async () =>
                    done.Add(await backup.SendAsync(snapshots[backup.Dataset], cancellationToken))
                );
            return done;
        }
        catch
        {
            // The next run makes new ones.
            foreach (var backup in waiting)
                await _care.RemoveAsync(snapshots[backup.Dataset]);
            throw;
        }
    }

    /// <summary>Those that nothing has gone wrong with.</summary>
    private List<DatasetBackup> Going(List<DatasetBackup> backups) =>
        backups.FindAll(backup => _failures.TrueForAll(failure => failure.Dataset != backup.Dataset.Value));

    /// <summary>Of many datasets one may fail; a single one fails as it is.</summary>
    private async Task TryAsync(DatasetBackup backup, Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (Exception e) when (!settings.Selection.IsSingle && IsOfOneDataset(e))
        {
            var failure = DatasetFailure.Of(backup.Dataset, e);
            output.Note($"{backup.Dataset} is not backed up: {failure.Message}");
            _failures.Add(failure);
        }
    }

    /// <summary>What concerns the server, the client as a whole or the user concerns all that would follow.</summary>
    private static bool IsOfOneDataset(Exception e) =>
        e switch
        {
            OperationCanceledException or UploadInterruptedException or OutOfMemoryException => false,
            OperationException
            {
                ExitCode: ExitCode.Unreachable
                    or ExitCode.AccessDenied
                    or ExitCode.ServerFailed
                    or ExitCode.Configuration
                    or ExitCode.Interrupted
            } => false,
            OperationException or SendStream.SendStreamException or SendStream.StreamCombinationException => true,
            _ => false,
        };
}
