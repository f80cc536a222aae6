namespace ZfsSnapshotManager.Server.Storage;

/// <summary>An object on its way in. Unless it is completed, disposing it removes what was written.</summary>
internal sealed class DirectoryObjectWriter : IAsyncDisposable
{
    private readonly FileStream _file;

    public DirectoryObjectWriter(string path)
    {
        Path = path;
        _file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            Share = FileShare.Read | FileShare.Delete,
            BufferSize = 0, // the writer brings large blocks
            Options = FileOptions.Asynchronous,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
    }

    public string Path { get; }

    /// <exception cref="StorageException">The disk is full or fails.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        try
        {
            await _file.WriteAsync(block, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw new StorageException($"The server's disk does not take the stream: {e.Message}", e);
        }
    }

    /// <exception cref="StorageException">The disk is full or fails.</exception>
    public void Sync()
    {
        try
        {
            _file.Flush(flushToDisk: true);
        }
        catch (IOException e)
        {
            throw new StorageException($"The server's disk does not keep the stream: {e.Message}", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _file.DisposeAsync().ConfigureAwait(false);
        File.Delete(Path); // no longer there once the object is completed
    }
}
