using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Streams;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary>
/// The destination of a stream that a command writes: standard output, or a file, which gets its name only when the
/// stream is complete.
/// </summary>
internal sealed class StreamTarget
{
    private readonly string? _path;

    private StreamTarget(string? path) => _path = path;

    public static Option<string?> OutputOption { get; } =
        new("--output", "-o") { Description = "File to create (default: standard output)." };

    public static Option<bool> ForceOption { get; } =
        new("--force", "-f") { Description = "Replace the file if it exists." };

    /// <summary>Checks what the user asked for; nothing is made yet.</summary>
    public static StreamTarget Get(ParseResult parsed)
    {
        if (parsed.GetValue(OutputOption) is not { } name)
        {
            if (!Console.IsOutputRedirected)
                throw new OperationException(
                    ExitCode.Usage,
                    "A stream is not printed to a terminal.",
                    "Send it to a pipe, or to a file with --output."
                );
            if (parsed.GetValue(ProgramRunner.JsonOption))
                throw new OperationException(
                    ExitCode.Usage,
                    "The stream and JSON cannot both go to standard output.",
                    "Send the stream to a file with --output."
                );
            return new StreamTarget(null);
        }

        var path = Path.GetFullPath(name);
        if (Directory.Exists(path))
            throw new OperationException(ExitCode.Conflict, $"{path} is a directory.", "Give a file name.");
        if (File.Exists(path) && !parsed.GetValue(ForceOption))
            throw new OperationException(
                ExitCode.Conflict,
                $"{path} already exists.",
                "Choose another name, or use --force to replace it."
            );
        return new StreamTarget(path);
    }

    /// <summary>
    /// Makes the stream, and tells of the file. If the work fails, no file is left; a pipe gets no END.
    /// </summary>
    public async Task WriteAsync(Output output, Func<Stream, Task> work, CancellationToken cancellationToken)
    {
        var bytes = 0L;
        _ = await TransferProgress.RunAsync(
            _path is null ? "stream" : Path.GetFileName(_path),
            null,
            output,
            async progress =>
            {
                void Count(long count)
                {
                    bytes += count;
                    progress.Add(count);
                }

                if (_path is null)
                    await WriteToPipeAsync(Count, work, cancellationToken);
                else
                    await WriteToFileAsync(_path, Count, work, cancellationToken);
                return bytes;
            }
        );
        if (_path is null)
            return;
        var result = new StreamFileResult { File = _path, StreamBytes = bytes };
        output.Result(result, RestoreJson.Default.StreamFileResult, text =>
            text.WriteLine($"Wrote {_path}: {ByteSize.Format(bytes)}.")
        );
    }

    private static async Task WriteToPipeAsync(
        Action<long> count,
        Func<Stream, Task> work,
        CancellationToken cancellationToken
    )
    {
        await using var counted = new CountingStream(DescriptorStream.OpenOutput(), count);
        await work(counted).WaitAsync(cancellationToken); // Ctrl-C must work while an input pipe is silent
    }

    private static Task WriteToFileAsync(
        string path,
        Action<long> count,
        Func<Stream, Task> work,
        CancellationToken cancellationToken
    ) =>
        AtomicFile.WriteAsync(path, replace: true, FileOptions.None, file =>
            work(new CountingStream(file, count)).WaitAsync(cancellationToken)
        );
}
