using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>
/// A file that appears under its name only when it is complete: written to <c>FILE.partial</c>, synced to disk, then
/// renamed. If that fails, nothing is left of it.
/// </summary>
internal static class AtomicFile
{
    /// <param name="path">The file.</param>
    /// <param name="replace">Whether it may replace a file that exists at the end.</param>
    /// <param name="options">How it is opened.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="OperationException">The file system refuses.</exception>
    public static async Task WriteAsync(string path, bool replace, FileOptions options, Func<Stream, Task> write)
    {
        var partial = path + ".partial";
        try
        {
            var settings = new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                BufferSize = 0,
                Options = options,
            };
            await using (var file = new FileStream(partial, settings))
            {
                await write(file);
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: replace);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Remove(partial);
            throw new OperationException(
                ExitCode.Failure,
                $"{path} cannot be written: {e.Message}",
                "Check the directory, its permissions and its free space.",
                e
            );
        }
        catch
        {
            Remove(partial);
            throw;
        }
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
