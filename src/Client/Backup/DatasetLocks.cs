using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Allows one backup of a dataset at a time: a second one would take the first one's snapshot for a leftover and
/// destroy it. Each dataset is a byte of one file, so that a run with thousands of them has one descriptor. The kernel
/// releases the locks when the process ends, however it ends.
/// </summary>
internal sealed partial class DatasetLocks(ZfsHost zfs) : IDisposable
{
    /// <summary>F_OFD_SETLK and F_WRLCK of Linux (fcntl(2)).</summary>
    private const int SetLock = 37;

    private const short WriteLock = 1;

    /// <summary>EAGAIN and EACCES: another run has it.</summary>
    private static readonly int[] Taken = [11, 13];

    private SafeFileHandle? _file;

    /// <exception cref="OperationException">Another run has the dataset, or there can be no lock.</exception>
    public void Acquire(DatasetName dataset)
    {
        _file ??= Open(Path.Combine(LockDirectory(), "zfs-client.lock"));
        var range = new LockRange
        {
            Type = WriteLock,
            Start = PlaceOf(dataset),
            Length = 1,
        };
        if (Control(_file, SetLock, ref range) == 0)
            return;
        var error = Marshal.GetLastPInvokeError();
        throw Taken.Contains(error)
            ? new OperationException(
                ExitCode.Conflict,
                $"Another zfs-client is backing up {dataset}.",
                "Wait until it has finished."
            )
            : new OperationException(
                ExitCode.Failure,
                $"{dataset} cannot be locked: {Marshal.GetPInvokeErrorMessage(error)}",
                "The file system of the lock file must support locks."
            );
    }

    public void Dispose() => _file?.Dispose();

    private static SafeFileHandle Open(string path)
    {
        try
        {
            return File.Exists(path) ? OpenExisting(path) : Create(path);
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
                ExitCode.Failure,
                $"The lock file {path} cannot be opened: {e.Message}",
                "Its directory must be writable.",
                e
            );
        }
    }

    /// <summary>
    /// For all users, whatever the umask is: a lock needs a descriptor that may write. CreateNew follows no symbolic
    /// link that somebody put there.
    /// </summary>
    private static SafeFileHandle Create(string path)
    {
        try
        {
            var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite);
            File.SetUnixFileMode(
                file,
                UnixFileMode.UserRead
                    | UnixFileMode.UserWrite
                    | UnixFileMode.GroupRead
                    | UnixFileMode.GroupWrite
                    | UnixFileMode.OtherRead
                    | UnixFileMode.OtherWrite
            );
            return file;
        }
        catch (IOException) when (File.Exists(path))
        {
            return OpenExisting(path); // another run was faster
        }
    }

    /// <summary>
    /// Without O_CREAT: the file may belong to another user, and with fs.protected_regular
    /// (Documentation/admin-guide/sysctl/fs.rst) the kernel refuses O_CREAT on such a file in a sticky, world-writable
    /// directory such as /run/lock, even for root.
    /// </summary>
    private static SafeFileHandle OpenExisting(string path) =>
        File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);

    /// <summary>One directory for all users, so that runs by root and by a service exclude each other.</summary>
    private static string LockDirectory() => Directory.Exists("/run/lock") ? "/run/lock" : Path.GetTempPath();

    /// <summary>A byte of the file for each dataset; the file has none of them, which locks do not need.</summary>
    private long PlaceOf(DatasetName dataset)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes($"{zfs.Remote?.Destination}{dataset}"));
        return (long)(BinaryPrimitives.ReadUInt64LittleEndian(digest) >> 2);
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeFileHandle file, int command, ref LockRange range);

    /// <summary>struct flock of 64-bit Linux (fcntl(2)).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LockRange
    {
        public short Type;

        /// <summary>SEEK_SET is 0.</summary>
        public short Whence;

        public long Start;

        public long Length;

        /// <summary>Must be 0 for these locks.</summary>
        public int Process;
    }
}
