using Microsoft.Win32.SafeHandles;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>A file on its way in.</summary>
internal sealed class DirectoryObjectWriter : IObjectWriter
{
    private readonly string _aside;
    private readonly string _path;
    private readonly int _partSize;
    private readonly SafeFileHandle _file;
    private bool _completed;

    /// <param name="aside">Where it is written.</param>
    /// <param name="path">Where it belongs.</param>
    public DirectoryObjectWriter(string aside, string path, int partSize)
    {
        (_aside, _path, _partSize) = (aside, path, partSize);
        try
        {
            _file = File.OpenHandle(aside, FileMode.Create, FileAccess.Write, FileShare.Read | FileShare.Delete, FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromFile("The server's disk does not take the stream", e);
        }
    }

    public async Task WritePartAsync(int number, ReadOnlyMemory<byte> content, string sha256, CancellationToken cancellationToken)
    {
        try
        {
            await RandomAccess.WriteAsync(_file, content, (long)number * _partSize, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw StorageException.FromFile("The server's disk does not take the stream", e);
        }
    }

    public Task CompleteAsync(CancellationToken cancellationToken)
    {
        if (_completed) return Task.CompletedTask;
        try
        {
            RandomAccess.FlushToDisk(_file);
            DurableFile.CreateDirectory(Path.GetDirectoryName(_path)!);
            DurableFile.MoveNew(_aside, _path);
            _completed = true;
        }
        catch (IOException) when (File.Exists(_path))
        {
            throw new StorageException(StorageFault.Exists, $"There is an object {Path.GetFileName(_path)} already.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromFile("The server's disk does not keep the stream", e);
        }

        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _file.Dispose();
        File.Delete(_aside); // no longer there once the object is completed
        return ValueTask.CompletedTask;
    }
}
