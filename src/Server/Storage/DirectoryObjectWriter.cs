using Microsoft.Win32.SafeHandles;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>An object that is being written to a file.</summary>
internal sealed class DirectoryObjectWriter : IObjectWriter
{
    private readonly string _aside;
    private readonly string _path;
    private readonly bool _resumable;
    private readonly SafeFileHandle? _file;
    private bool _completed;

    /// <param name="aside">The path where it is written.</param>
    /// <param name="path">The path it gets when it is completed.</param>
    /// <param name="mode">Whether it is created or continued.</param>
    /// <param name="resumable">Whether it stays when the writer is disposed.</param>
    public DirectoryObjectWriter(string aside, string path, FileMode mode, bool resumable)
    {
        (_aside, _path, _resumable) = (aside, path, resumable);
        try
        {
            _file = File.OpenHandle(
                aside,
                mode,
                FileAccess.Write,
                FileShare.ReadWrite | FileShare.Delete,
                FileOptions.Asynchronous
            );
            if (mode == FileMode.Create)
                ServerFiles.GiveToOwnerOf(Path.GetDirectoryName(aside)!, _file);
            // Without this a power cut could lose a file whose parts are acknowledged.
            if (resumable && mode == FileMode.Create)
                DurableFile.SyncDirectory(Path.GetDirectoryName(aside)!);
        }
        catch (FileNotFoundException) when (File.Exists(path))
        {
            // It was completed before the server stopped; CompleteAsync finds that.
        }
        catch (FileNotFoundException e)
        {
            throw new StorageException(
                StorageFault.Missing,
                $"What was received of {Path.GetFileName(path)} no longer exists on the server's disk.",
                e
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromFile("The server's disk did not accept the stream", e);
        }
    }

    public string Token => Path.GetFileName(_aside);

    public async Task<WrittenPart> WritePartAsync(
        int number,
        long offset,
        ReadOnlyMemory<byte> content,
        string sha256,
        CancellationToken cancellationToken
    )
    {
        if (_file is null)
            throw new StorageException(StorageFault.Exists, $"The object {Path.GetFileName(_path)} already exists.");
        try
        {
            await RandomAccess.WriteAsync(_file, content, offset, cancellationToken);
            if (_resumable)
                RandomAccess.FlushToDisk(_file); // its client may discard the part once it is acknowledged
        }
        catch (IOException e)
        {
            throw StorageException.FromFile("The server's disk did not accept the stream", e);
        }

        return new WrittenPart(content.Length, "");
    }

    public Task CompleteAsync(IEnumerable<WrittenPart> parts, CancellationToken cancellationToken)
    {
        if (_completed)
            return Task.CompletedTask;
        var size = parts.Sum(part => (long)part.Size);
        try
        {
            if (_file is null)
            {
                if (new FileInfo(_path).Length != size)
                    throw new StorageException(
                        StorageFault.Exists,
                        $"The object {Path.GetFileName(_path)} already exists."
                    );
            }
            else
            {
                // An earlier attempt may have written more.
                if (RandomAccess.GetLength(_file) != size)
                    RandomAccess.SetLength(_file, size);
                RandomAccess.FlushToDisk(_file);
                DurableFile.CreateDirectory(Path.GetDirectoryName(_path)!);
                DurableFile.MoveNew(_aside, _path);
            }

            _completed = true;
        }
        catch (IOException) when (File.Exists(_path))
        {
            throw new StorageException(StorageFault.Exists, $"The object {Path.GetFileName(_path)} already exists.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromFile("The server's disk did not store the stream", e);
        }

        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _file?.Dispose();
        if (!_resumable)
            File.Delete(_aside); // does not exist once the object is completed
        return ValueTask.CompletedTask;
    }
}
