using System.Security.Cryptography;
using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// One backup of a dataset at a time: a second one would take the first one's snapshot for a leftover. The kernel drops
/// the lock when the process ends, however it ends.
/// </summary>
internal static class DatasetLock
{
    public static FileStream Take(ZfsHost zfs, DatasetName dataset)
    {
        var digest = Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes($"{zfs.Remote?.Destination}{dataset}"))
        )[..16];
        var path = Path.Combine(Folder(), $"zfs-client-{digest}.lock");
        try
        {
            // A file that is there is opened for reading only: it may be another user's, and the kernel forbids to
            // "create" such a one again.
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
                "Wait until it has ended.",
                e
            );
        }
    }

    /// <summary>One place for all users, so that root's run and a service's see each other.</summary>
    private static string Folder() => Directory.Exists("/run/lock") ? "/run/lock" : Path.GetTempPath();
}
