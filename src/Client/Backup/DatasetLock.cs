using System.Security.Cryptography;
using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Allows one backup of a dataset at a time: a second one would take the first one's snapshot for a leftover and
/// destroy it. The kernel releases the lock when the process ends, however it ends.
/// </summary>
internal static class DatasetLock
{
    public static FileStream Acquire(ZfsHost zfs, DatasetName dataset)
    {
        var digest = Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes($"{zfs.Remote?.Destination}{dataset}"))
        )[..16];
        var path = Path.Combine(LockDirectory(), $"zfs-client-{digest}.lock");
        try
        {
            // An existing file is opened for reading only. It may belong to another user, and with
            // fs.protected_regular (Documentation/admin-guide/sysctl/fs.rst) the kernel refuses O_CREAT on such a
            // file in a sticky, world-writable directory such as /run/lock, even for root.
            return File.Exists(path)
                ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.None)
                : new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new OperationException(
                ExitCode.Failure,
                $"The lock file {path} cannot be opened: {e.Message}",
                "It belongs to another user; run backups of one dataset as one user.",
                e
            );
        }
        catch (IOException e)
        {
            throw new OperationException(
                ExitCode.Conflict,
                $"Another zfs-client is backing up {dataset}.",
                "Wait until it has finished.",
                e
            );
        }
    }

    /// <summary>One directory for all users, so that runs by root and by a service exclude each other.</summary>
    private static string LockDirectory() => Directory.Exists("/run/lock") ? "/run/lock" : Path.GetTempPath();
}
