using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace ZfsSnapshotManager.Core.Locks;

/// <summary>
/// Things that one process on this host works on at a time. Each is a byte of one file, so that thousands of them need
/// one descriptor. The file is in every directory of <see cref="LockDirectories"/> that the user may write to, so that
/// root and another user exclude each other also where /run/lock is root's (Fedora, RHEL, Arch). The kernel releases
/// the locks when the process ends, however it ends. The files stay, and are used again. Not thread-safe.
/// </summary>
/// <param name="name">The name of the file.</param>
/// <param name="shared">Directories of all users.</param>
/// <param name="own">Directories of this user; the first that works is used if none of the others does.</param>
public sealed partial class HostLocks(string name, IReadOnlyList<string> shared, IReadOnlyList<string> own)
    : IDisposable
{
    // From asm-generic/fcntl.h and errno-base.h, which x86-64 and arm64 share, but for O_NOFOLLOW.
    private const int ReadWrite = 2;
    private const int Create = 0x40;
    private const int Exclusive = 0x80;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;

    private const int NoSuchFile = 2;
    private const int Again = 11;
    private const int Denied = 13;
    private const int Exists = 17;
    private const int TooManyInSystem = 23;
    private const int TooMany = 24;

    /// <summary>-rw-rw-rw-: these locks need a descriptor that may write.</summary>
    private const int Mode = 0x1b6;

    /// <summary>F_OFD_SETLK, F_WRLCK and F_UNLCK of Linux (fcntl(2)).</summary>
    private const int SetLock = 37;

    private const short WriteLock = 1;
    private const short Unlock = 2;

    private static readonly int NoFollow = RuntimeInformation.ProcessArchitecture
        is Architecture.Arm64
            or Architecture.Arm
        ? 0x8000
        : 0x20000;

    private readonly List<(string Path, SafeFileHandle File)> _files = [];

    public HostLocks(string name)
        : this(name, LockDirectories.Shared, LockDirectories.Own) { }

    /// <summary>The files that are used; none before something was locked.</summary>
    public IEnumerable<string> Paths => _files.Select(file => file.Path);

    /// <summary>
    /// What to do if another process has a lock that nobody can explain: any account may lock files that all users
    /// share (SECURITY.md).
    /// </summary>
    public string Remedy =>
        $"If none runs, 'fuser -v {string.Join(' ', Paths)}' names the processes that have the lock.";

    /// <param name="key">What is locked until this is disposed.</param>
    /// <returns>False if another process has it.</returns>
    /// <exception cref="OperationException">No directory can have the file.</exception>
    public bool TryAcquire(string key)
    {
        if (_files.Count == 0)
            OpenFiles();
        var place = PlaceOf(key);
        for (var index = 0; index < _files.Count; index++)
        {
            if (TrySet(_files[index], place, WriteLock))
                continue;
            foreach (var file in _files.Take(index))
                TrySet(file, place, Unlock);
            return false;
        }

        return true;
    }

    public void Dispose()
    {
        _files.ForEach(file => file.File.Dispose());
        _files.Clear();
    }

    private void OpenFiles()
    {
        List<string> faults = [];
        foreach (var directory in shared)
            OpenIn(directory, faults);
        foreach (var directory in own.TakeWhile(_ => _files.Count == 0))
            OpenIn(directory, faults);
        if (_files.Count == 0)
            throw new OperationException(
                ExitCode.Failure,
                $"No lock file can be opened: {string.Join("; ", faults)}.",
                "Make one of these directories writable for this user; a file of another user there must be writable "
                    + "for all (chmod 666). Nothing was changed."
            );
    }

    private void OpenIn(string directory, List<string> faults)
    {
        var path = Path.Combine(directory, name);
        if (Open(path, out var error) is { } file)
            _files.Add((path, file));
        else if (error is TooMany or TooManyInSystem)
            throw new OperationException(
                ExitCode.Failure,
                $"The lock file {path} cannot be opened: {Marshal.GetPInvokeErrorMessage(error)}.",
                "Raise the limit of open files (ulimit -n, LimitNOFILE=). Nothing was changed."
            );
        else
            faults.Add($"{path}: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    /// <summary>
    /// Directories of all users are sticky: anybody may create a file or a link there. A link is not followed. An
    /// existing file is opened without O_CREAT: with fs.protected_regular (Documentation/admin-guide/sysctl/fs.rst) the
    /// kernel refuses that for files of others, even to root.
    /// </summary>
    /// <returns>Null if it cannot be opened.</returns>
    private static SafeFileHandle? Open(string path, out int error)
    {
        const int Common = ReadWrite | NonBlocking | CloseOnExec;
        while (true)
        {
            var file = Open(path, Common | NoFollow, 0);
            error = Marshal.GetLastPInvokeError();
            if (file < 0 && error == NoSuchFile)
            {
                file = Open(path, Common | NoFollow | Create | Exclusive, Mode);
                error = Marshal.GetLastPInvokeError();
                if (file >= 0)
                    _ = ChangeMode(file, Mode); // whatever the umask is
            }

            if (file >= 0)
                return new SafeFileHandle(file, ownsHandle: true);
            if (error != Exists)
                return null;
        }
    }

    private static bool TrySet((string Path, SafeFileHandle File) file, long place, short type)
    {
        var range = new LockRange
        {
            Type = type,
            Start = place,
            Length = 1,
        };
        if (Control(file.File, SetLock, ref range) == 0)
            return true;
        var error = Marshal.GetLastPInvokeError();
        return error is Again or Denied
            ? false
            : throw new OperationException(
                ExitCode.Failure,
                $"{file.Path} cannot be locked: {Marshal.GetPInvokeErrorMessage(error)}.",
                "The file system of the lock file must support locks. Nothing was changed."
            );
    }

    /// <summary>The file has none of these bytes, which locks do not need.</summary>
    private static long PlaceOf(string key) =>
        (long)(BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(key))) >> 2);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    private static partial int ChangeMode(int file, int mode);

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
