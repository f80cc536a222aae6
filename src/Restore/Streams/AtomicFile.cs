using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>
/// A file that appears under its name only when it is complete: written to <c>FILE.partial</c>, synced to disk, then
/// renamed. If that fails, nothing is left of it. Only its owner may read it, since it holds all files of a dataset.
/// </summary>
internal static class AtomicFile
{
    /// <param name="path">The file.</param>
    /// <param name="replace">Whether it may replace a file that exists at the end, and what a killed command
    /// left.</param>
    /// <param name="options">How it is opened.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="OperationException">The file system refuses, or another command writes it.</exception>
    public static async Task WriteAsync(string path, bool replace, FileOptions options, Func<Stream, Task> write)
    {
        var partial = path + ".partial";
        var isOurs = false;
        try
        {
            if (Exists(partial))
                RemoveLeftover(path, partial, replace);
            await using (var file = new FileStream(partial, Create(options)))
            {
                isOurs = true;
                await write(file);
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: replace);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (isOurs)
                Remove(partial);
            throw OutputException.OfFile(path, e);
        }
        catch
        {
            if (isOurs)
                Remove(partial);
            throw;
        }
    }

    /// <summary>
    /// Only a new file: an existing one may be somebody's own, or a link that leads elsewhere. While it is written it
    /// is locked (FileShare.None is flock(2)), so that no second command removes it.
    /// </summary>
    private static FileStreamOptions Create(FileOptions options) =>
        new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.None,
            BufferSize = 0,
            Options = options,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };

    private static bool Exists(string partial) => Path.Exists(partial) || new FileInfo(partial).LinkTarget is not null;

    private static void RemoveLeftover(string path, string partial, bool replace)
    {
        if (!replace)
            throw new OperationException(
                ExitCode.Conflict,
                $"{partial} exists: another command is writing {path}, or was killed while it did.",
                $"If none is running, remove it (rm '{partial}'), or use --force."
            );
        if (new FileInfo(partial).LinkTarget is null)
        {
            // Fails if a command still writes it.
            using var unused = new FileStream(partial, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        }

        File.Delete(partial);
    }

    /// <summary>
    /// Deletes the file if it exists: its directory may be missing, and that is the failure to report.
    /// </summary>
    private static void Remove(string partial)
    {
        if (File.Exists(partial))
            File.Delete(partial);
    }
}
