using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>An input stream of a command: a file or standard input, plain or compressed.</summary>
internal sealed class StreamInput : IAsyncDisposable
{
    private readonly Stream _file;
    private readonly StoredBytesReader _stored;
    private readonly DecompressedStream _plain;

    private StreamInput(string name, Stream file, StoredBytesReader stored, CompressionFormat compression)
    {
        (Name, _file, _stored) = (name, file, stored);
        _plain = new DecompressedStream(stored, compression);
        Plain = new NamedStream(_plain, name);
    }

    /// <summary>The name as the user gave it.</summary>
    public string Name { get; }

    /// <summary>The send stream, decompressed.</summary>
    public Stream Plain { get; }

    /// <summary>Opens a file, or standard input for <c>-</c>, and detects its compression.</summary>
    /// <exception cref="OperationException">It cannot be read.</exception>
    public static async Task<StreamInput> OpenAsync(string name, CancellationToken cancellationToken)
    {
        var file = OpenFile(name);
        var stored = new StoredBytesReader(file, digest: false);
        var compression = CompressionFormats.Detect(
            (
                await stored
                    .PeekAsync(CompressionFormats.DetectionSize, cancellationToken)
                    .AsTask()
                    .WaitAsync(cancellationToken)
            ).Span
        );
        return new StreamInput(name, file, stored, compression);
    }

    /// <summary>Opens a file as it is, or standard input for <c>-</c>.</summary>
    /// <exception cref="OperationException">It cannot be read.</exception>
    public static Stream OpenFile(string name)
    {
        if (name == "-")
            return Console.OpenStandardInput();
        try
        {
            return new FileStream(
                name,
                new FileStreamOptions
                {
                    Mode = FileMode.Open,
                    Access = FileAccess.Read,
                    BufferSize = 0,
                    Options = FileOptions.SequentialScan,
                }
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperationException(
                e is FileNotFoundException or DirectoryNotFoundException ? ExitCode.NotFound : ExitCode.Failure,
                $"{name} cannot be read: {e.Message}",
                null,
                e
            );
        }
    }

    /// <summary>Reads the stream up to the last valid byte.</summary>
    public async Task<ValidPrefix> FindValidPrefixAsync(CancellationToken cancellationToken) =>
        await SendStreamRecovery.FindValidPrefixAsync(new EndAtDamageStream(_plain), cancellationToken);

    /// <summary>Checks, after the stream was read to its end, that nothing follows it in the file.</summary>
    /// <exception cref="OperationException">Something follows.</exception>
    public void EnsureEnded()
    {
        if (!_stored.EndWasRead)
            throw new OperationException(ExitCode.Damaged, $"{Name} has bytes after the end of the compressed data.");
    }

    public async ValueTask DisposeAsync()
    {
        await Plain.DisposeAsync();
        await _plain.DisposeAsync();
        await _stored.DisposeAsync();
        await _file.DisposeAsync();
    }

    /// <summary>Adds the name of the damaged file to failures.</summary>
    private sealed class NamedStream(Stream source, string name) : ForwardOnlyStream
    {
        public override bool CanRead => true;

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer,
            CancellationToken cancellationToken = default
        )
        {
            try
            {
                return await source.ReadAsync(buffer, cancellationToken);
            }
            catch (OperationException e) when (e.Kind == FailureKind.Stream)
            {
                throw new OperationException(ExitCode.Damaged, $"{name} is damaged. {e.Message}", innerException: e);
            }
        }
    }
}
