using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Renames datasets that nothing has mounted, so that renaming mounts nothing.</summary>
internal static class DatasetRename
{
    /// <summary>
    /// A dataset may be in use for a moment: udev opens new devices of volumes, and other programs look at datasets.
    /// Only the wait can be cancelled: whether a command that is ended has taken effect, nobody knows.
    /// </summary>
    public static async Task RenameAsync(
        this ZfsHost zfs,
        DatasetName from,
        DatasetName to,
        CancellationToken cancellationToken
    )
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                await zfs.RunAsync(["rename", from.Value, to.Value], CancellationToken.None);
                return;
            }
            catch (ZfsException e) when (e.IsBusy && TimeProvider.System.GetElapsedTime(start) < ReceiveRetry.Patience)
            {
                await Task.Delay(ReceiveRetry.Pause, cancellationToken);
            }
        }
    }
}
