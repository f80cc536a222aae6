using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Destroys snapshots that other programs make of a dataset while it is restored. ZFS may refuse the next stream
/// because of them, and they must not become a part of the restored dataset.
/// </summary>
/// <param name="session">Where <c>zfs</c> runs.</param>
internal sealed class ForeignSnapshots(RestoreSession session)
{
    private bool _isAnnounced;

    /// <param name="foreign">Snapshots of a dataset that the restore's mark protects, oldest first.</param>
    public async Task DestroyAsync(IReadOnlyList<SnapshotName> foreign, CancellationToken cancellationToken)
    {
        if (foreign.Count == 0)
            return;
        Announce(foreign);
        try
        {
            var names = string.Join(',', foreign.Select(snapshot => snapshot.Leaf));
            await session.Settings.Zfs.RunAsync(["destroy", $"{foreign[0].Dataset}@{names}"], cancellationToken);
        }
        catch (ZfsException) when (!cancellationToken.IsCancellationRequested)
        {
            // ZFS destroys all or none. One may be the base of what is being received (its clone is called %recv), and
            // is destroyed afterwards; one may be held.
            foreach (var snapshot in foreign.Reverse())
                await TryDestroyAsync(snapshot, cancellationToken);
        }
    }

    private async Task TryDestroyAsync(SnapshotName snapshot, CancellationToken cancellationToken)
    {
        try
        {
            await session.Settings.Zfs.DestroySnapshotAsync(snapshot, cancellationToken);
        }
        catch (ZfsException e) when (!cancellationToken.IsCancellationRequested)
        {
            session.Detail($"{snapshot} stays for now: {e.StandardError.Trim()}");
        }
    }

    private void Announce(IReadOnlyList<SnapshotName> foreign)
    {
        var names = foreign.Count == 1 ? $"{foreign[0]}" : $"{foreign[0]} and {foreign.Count - 1} more";
        var text = $"Destroying {names}, which another program made while the dataset was being restored.";
        if (_isAnnounced)
            session.Detail(text);
        else
            session.Output.Note(text);
        _isAnnounced = true;
    }
}
