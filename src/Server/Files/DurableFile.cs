using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ZfsSnapshotManager.Server.Files;

/// <summary>
/// Writes files that survive a power cut: written under another name, synced, renamed, and the directory synced too,
/// since a rename is only on disk once its directory is (fsync(2)).
/// </summary>
internal static partial class DurableFile
{
    private const int AppendToFile = 0x2 | 0x400 | 0x80000; // O_RDWR | O_APPEND | O_CLOEXEC on Linux
    private const int NewFile = 0x40 | 0x80; // O_CREAT | O_EXCL
    private const uint OwnerOnly = 0b110_000_000;
    private const int ReadOnly = 0x80000; // O_RDONLY | O_CLOEXEC on Linux
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const uint NoReplace = 1; // RENAME_NOREPLACE
    private const int OtherFileSystem = 18; // EXDEV
    private const int AlreadyExists = 17; // EEXIST
    private const int InvalidArgument = 22; // EINVAL

    // These two differ between processors.
    private static readonly bool IsArm =
        RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64;
    private static readonly int NoLink = IsArm ? 0x8000 : 0x20000; // O_NOFOLLOW
    private static readonly int OnlyDirectory = IsArm ? 0x4000 : 0x10000; // O_DIRECTORY

    /// <summary>Replaces the file at <paramref name="path"/>, which need not exist.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content, UnixFileMode mode) =>
        // Always the same name, so that leftovers of a crash are overwritten. Callers hold a lock.
        Replace(path, path + ".tmp", content, mode);

    /// <inheritdoc cref="Replace(string, ReadOnlySpan{byte}, UnixFileMode)"/>
    /// <param name="aside">The path where it is written first, on the same file system.</param>
    public static void Replace(string path, string aside, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        WriteAside(aside, path, content, mode);
        File.Move(aside, path, overwrite: true);
        SyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>Creates a file that must not exist.</summary>
    /// <param name="aside">The path where it is written first, on the same file system. A crash may leave it
    /// there.</param>
    /// <exception cref="IOException">It exists.</exception>
    public static void Create(string path, string aside, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        WriteAside(aside, path, content, mode);
        try
        {
            MoveNew(aside, path);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }

    /// <summary>
    /// Renames a synced file to a path that must not exist. Not <see cref="File.Move(string, string, bool)"/>: between
    /// file systems that copies, and the copy is visible before it is complete and never synced.
    /// </summary>
    /// <exception cref="IOException">There is a file of that name, or the directories are on different file
    /// systems.</exception>
    public static void MoveNew(string from, string to)
    {
        if (Rename(CurrentDirectory, from, CurrentDirectory, to, NoReplace) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != InvalidArgument)
                throw NotMoved(from, to, error);
            LinkNew(from, to);
        }

        SyncDirectory(Path.GetDirectoryName(to)!);
    }

    /// <summary>
    /// As <see cref="MoveNew"/>, for file systems that cannot rename without replacing, such as NFS. Between the two
    /// steps the file has both names; after a crash there, the second attempt finds it so.
    /// </summary>
    internal static void LinkNew(string from, string to)
    {
        if (Link(from, to) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (FileState.Of(from) is not { } file || FileState.Of(to) is not { } linked || !file.IsSameFile(linked))
                throw NotMoved(from, to, error);
        }

        File.Delete(from);
    }

    private static IOException NotMoved(string from, string to, int error) =>
        new(
            error == OtherFileSystem
                ? $"{Path.GetDirectoryName(from)} and {Path.GetDirectoryName(to)} are on different file systems"
                : $"{from} cannot be renamed to {to}: {Marshal.GetPInvokeErrorMessage(error)}",
            error // as .NET has it: StorageException.FromFile recognizes a full disk by it
        );

    /// <summary>
    /// Appends a line in one write. If a crash truncated the line before, this one still starts on a line of its own.
    /// Callers hold a lock. A link is refused: root writes here for the server's user, who must not choose the file.
    /// </summary>
    /// <param name="line">With its line end.</param>
    public static void AppendLine(string path, ReadOnlySpan<byte> line)
    {
        using var file = OpenToAppend(path, out var isNew);
        if (file.IsInvalid)
            throw Failed("opened");
        if (isNew)
            ServerFiles.GiveToOwnerOf(Path.GetDirectoryName(path)!, file);
        Span<byte> last = [(byte)'\n'];
        if (RandomAccess.GetLength(file) is > 0 and var length)
            RandomAccess.Read(file, last, length - 1);
        ReadOnlySpan<byte> whole = last[0] == '\n' ? line : [(byte)'\n', .. line];
        var written = Write(file, whole, whole.Length);
        if (written < 0)
            throw Failed("written");
        if (written < whole.Length)
            throw new IOException($"Only {written} of {whole.Length} bytes were written to {path}; is the disk full?");
        if (Sync(file) != 0)
            throw Failed("synced to disk");
        if (isNew)
            SyncDirectory(Path.GetDirectoryName(path)!);

        IOException Failed(string what) =>
            new($"The file {path} cannot be {what}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>Opens the file itself, and creates it if it does not exist.</summary>
    /// <param name="isNew">Whether the file was created now.</param>
    private static SafeFileHandle OpenToAppend(string path, out bool isNew)
    {
        var file = Open(path, AppendToFile | NewFile, OwnerOnly);
        isNew = !file.IsInvalid;
        if (isNew || Marshal.GetLastPInvokeError() != AlreadyExists)
            return file;
        file.Dispose();
        return Open(path, AppendToFile | NoLink);
    }

    /// <summary>Creates a directory and its parents; each is synced to disk in its parent.</summary>
    public static void CreateDirectory(string path)
    {
        if (Directory.Exists(path))
            return;
        var parent = Path.GetDirectoryName(path);
        if (parent is not null)
            CreateDirectory(parent);
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (parent is null)
            return;
        using (var directory = Open(path, ReadOnly | OnlyDirectory | NoLink))
        {
            if (directory.IsInvalid)
                throw new IOException(
                    $"The new directory {path} cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}"
                );
            ServerFiles.GiveToOwnerOf(parent, directory);
        }

        SyncDirectory(parent);
    }

    public static void SyncDirectory(string path)
    {
        using var handle = Open(path, ReadOnly);
        if (handle.IsInvalid || Sync(handle) != 0)
        {
            throw new IOException(
                $"The directory {path} cannot be synced to disk: {Marshal.GetLastPInvokeErrorMessage()}"
            );
        }
    }

    private static void WriteAside(string aside, string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        try
        {
            // Never what lies there already: it may be a link, and somebody else's.
            File.Delete(aside);
            using var file = new FileStream(
                aside,
                new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = mode,
                }
            );
            ServerFiles.GiveAs(file.SafeFileHandle, path);
            file.Write(content);
            file.Flush(flushToDisk: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(SafeFileHandle handle, ReadOnlySpan<byte> bytes, nint count);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string from, string to);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(SafeFileHandle handle);
}
