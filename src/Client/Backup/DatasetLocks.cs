using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Locks;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Allows one backup of a dataset at a time on this host: a second one would take the first one's snapshot for a
/// leftover and destroy it.
/// </summary>
internal sealed class DatasetLocks(ZfsHost zfs) : IDisposable
{
    public const string FileName = "zfs-client.lock";

    private readonly HostLocks _locks = new(FileName);

    /// <exception cref="OperationException">Another run has the dataset, or there can be no lock.</exception>
    public void Acquire(DatasetName dataset)
    {
        if (!_locks.TryAcquire($"{zfs.Remote?.Destination}{dataset}"))
            throw new OperationException(
                ExitCode.Conflict,
                $"Another zfs-client is backing up {dataset}.",
                $"Wait until it has finished. {_locks.Remedy}"
            );
    }

    public void Dispose() => _locks.Dispose();
}
