using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ZfsSnapshotManager.Server.Files;

/// <summary>
/// Writes files that survive a power cut: written under another name, synced, renamed, and the directory synced too,
/// since a rename is only on disk once its directory is (fsync(2)).
/// </summary>
internal static partial class DurableFile
{
    private const int AppendToFile = 0x2 | 0x40 | 0x400 | 0x80000; // O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC on Linux
    private const uint OwnerOnly = 0b110_000_000;
    private const int ReadOnly = 0x80000; // O_RDONLY | O_CLOEXEC on Linux

    /// <summary>Replaces the file at <paramref name="path"/>, which need not exist.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        // Always the same name, so that leftovers of a crash are overwritten. Callers hold a lock.
        var aside = path + ".tmp";
        WriteAside(aside, content, mode);
        File.Move(aside, path, overwrite: true);
        SyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>Creates a file that must not exist.</summary>
    /// <param name="aside">The path where it is written first, on the same file system. A crash may leave it
    /// there.</param>
    /// <exception cref="IOException">It exists.</exception>
    public static void Create(string path, string aside, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        WriteAside(aside, content, mode);
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

    /// <summary>Renames a synced file to a path that must not exist.</summary>
    public static void MoveNew(string from, string to)
    {
        File.Move(from, to, overwrite: false);
        SyncDirectory(Path.GetDirectoryName(to)!);
    }

    /// <summary>
    /// Appends a line in one write. If a crash truncated the line before, this one still starts on a line of its own.
    /// Callers hold a lock.
    /// </summary>
    /// <param name="line">With its line end.</param>
    public static void AppendLine(string path, ReadOnlySpan<byte> line)
    {
        var isNew = !File.Exists(path);
        using var file = Open(path, AppendToFile, OwnerOnly);
        if (file.IsInvalid)
            throw Failed("opened");
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

    /// <summary>Creates a directory and its parents; each is synced to disk in its parent.</summary>
    public static void CreateDirectory(string path)
    {
        if (Directory.Exists(path))
            return;
        var parent = Path.GetDirectoryName(path);
        if (parent is not null)
            CreateDirectory(parent);
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (parent is not null)
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

    private static void WriteAside(string aside, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        try
        {
            using var file = new FileStream(
                aside,
                new FileStreamOptions
                {
                    Mode = FileMode.Create,
                    Access = FileAccess.Write,
                    UnixCreateMode = mode,
                }
            );
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

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(SafeFileHandle handle);
}
