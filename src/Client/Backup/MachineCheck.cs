using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>Refuses to back up a dataset whose backups come from another machine.</summary>
internal sealed class MachineCheck(BackupRun run, Machine machine, UploadInquiry inquiry)
{
    /// <summary>
    /// Before anything of an earlier run is touched. The server is asked all the same: it tells the other machine of
    /// this one.
    /// </summary>
    public async Task DemandAsync(
        DatasetName dataset,
        IReadOnlyList<SnapshotInfo> backups,
        IReadOnlyList<UploadInfo> uploads,
        CancellationToken cancellationToken
    )
    {
        if (OtherMachine.Find(dataset, machine.Id, backups, uploads) is not { } other)
            return;
        if (run.Options.TakesOver)
        {
            run.Output.Note($"{dataset}: this machine takes over the backups of {other.Name}");
            return;
        }

        if (run.Options.DryRun)
            throw other.ToFailure(dataset, run.Settings.Server.ClientId);
        var announced = await run.Server.RequestUploadAsync(
            new UploadRequest
            {
                DatasetName = dataset.Value,
                MachineId = machine.Id,
                MachineName = machine.Name,
            },
            cancellationToken
        );
        // What was in the way is gone since the lists were fetched.
        await inquiry.AbortAsync(announced.UploadId);
    }
}
