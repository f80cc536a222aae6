using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>Does what a <see cref="LeftoverPlan"/> says, but for the upload that is resumed.</summary>
internal sealed class LeftoverCleanup(
    BackupRun run,
    ServerInventory inventory,
    SnapshotLifecycle snapshots,
    UploadInquiry inquiry
)
{
    /// <returns>Whether the dataset's snapshots or bookmarks have changed.</returns>
    /// <exception cref="OperationException">A run on another host is at work.</exception>
    public async Task<bool> CarryOutAsync(
        DatasetName dataset,
        LeftoverPlan leftovers,
        CancellationToken cancellationToken
    )
    {
        if (leftovers.Active is { } active)
            throw new OperationException(
                ExitCode.Conflict,
                $"A run on another host is backing up {dataset}: its upload {active.UploadId} is active.",
                "Wait until it has finished. If that host is gone, wait 15 minutes, or run 'zfs-client backup "
                    + "--take-over'."
            );
        foreach (var line in leftovers.DescribeLeftAlone())
            run.Output.Note($"{dataset}: {line}");
        await snapshots.AdoptAsync(leftovers.Adopt);
        foreach (var snapshot in leftovers.Acknowledge)
            await AcknowledgeAsync(snapshot, cancellationToken);
        await snapshots.ReleaseAsync(leftovers.Release);
        foreach (var (upload, reason) in leftovers.Drop)
        {
            run.Output.Note(
                $"Discarding the interrupted upload of {upload.DatasetName}@{upload.SnapshotName}: {reason}"
            );
            await inquiry.AbortAsync(upload.UploadId);
        }

        var dropped = leftovers.Drop.Select(drop => drop.Upload.SnapshotGuid).ToHashSet();
        if (dropped.Count > 0)
            inventory.Invalidate();
        foreach (var snapshot in leftovers.Remove)
        {
            if (dropped.Contains(snapshot.Guid) && await inventory.HasAsync(snapshot.Guid, cancellationToken))
            {
                // It was being committed when its upload was dropped.
                await AcknowledgeAsync(snapshot, cancellationToken);
                continue;
            }

            run.Output.Note($"{snapshot.Name} from an interrupted run is not on the server; removing it");
            await snapshots.RemoveAsync([snapshot]);
        }

        return leftovers.Acknowledge.Count + leftovers.Remove.Count > 0;
    }

    private Task AcknowledgeAsync(LocalSnapshot snapshot, CancellationToken cancellationToken)
    {
        run.Output.Note($"{snapshot.Name} from an interrupted run is already on the server; marking it as committed");
        return snapshots.AcknowledgeAsync(snapshot, cancellationToken);
    }
}
