using System.Text.Json;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>Stores objects as files: <c>DATA_DIR/objects/KEY</c>, each with its manifest beside it. An object appears whole or not at all, and is never overwritten.</summary>
internal sealed class DirectoryStore
{
    private const UnixFileMode FileMode600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _objects;
    private readonly string _incoming;

    public DirectoryStore(ServerSettings settings)
    {
        _objects = Path.Combine(settings.DataDirectory, "objects");
        _incoming = Path.Combine(settings.DataDirectory, "incoming");
        DurableFile.CreateDirectory(_objects);
        DurableFile.CreateDirectory(_incoming);
    }

    /// <summary>Begins an object that nobody sees until it is completed.</summary>
    /// <param name="uploadId">Names the file meanwhile; what an earlier attempt left there is dropped.</param>
    public DirectoryObjectWriter CreateObject(string uploadId) => new(Path.Combine(_incoming, uploadId));

    /// <summary>Gives a written object its key.</summary>
    /// <exception cref="StorageException">The key is taken, or the disk is full or fails.</exception>
    public void Complete(DirectoryObjectWriter writer, string key)
    {
        var path = PathOf(key);
        writer.Sync();
        try
        {
            DurableFile.CreateDirectory(Path.GetDirectoryName(path)!);
            DurableFile.MoveNew(writer.Path, path);
        }
        catch (IOException e)
        {
            throw new StorageException($"The server's disk does not keep the stream: {e.Message}", e);
        }
    }

    /// <exception cref="StorageException">There is one, or the disk is full or fails.</exception>
    public void WriteManifest(string key, Manifest manifest)
    {
        try
        {
            var aside = Path.Combine(_incoming, manifest.UploadId + ".manifest");
            DurableFile.Create(ManifestPathOf(key), aside, JsonSerializer.SerializeToUtf8Bytes(manifest, ManifestJson.Default.Manifest), FileMode600);
        }
        catch (IOException e)
        {
            throw new StorageException($"The server's disk does not keep the manifest: {e.Message}", e);
        }
    }

    /// <returns>Null where there is none.</returns>
    public Manifest? ReadManifest(string key)
    {
        var path = ManifestPathOf(key);
        return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), ManifestJson.Default.Manifest) : null;
    }

    public bool Exists(string key) => File.Exists(PathOf(key));

    /// <exception cref="FileNotFoundException">There is no such object.</exception>
    public FileStream OpenRead(string key) => new(PathOf(key), new FileStreamOptions
    {
        Mode = FileMode.Open,
        Access = FileAccess.Read,
        Share = FileShare.Read | FileShare.Delete,
        Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
        BufferSize = 0,
    });

    /// <summary>Removes an object and its manifest, the manifest first: an object without one is not a backup.</summary>
    public void Delete(string key)
    {
        foreach (var path in (string[])[ManifestPathOf(key), PathOf(key)])
        {
            if (!File.Exists(path)) continue;
            File.Delete(path);
            DurableFile.SyncDirectory(Path.GetDirectoryName(path)!); // in this order on disk as well
        }
    }

    /// <summary>Removes the files of uploads that nobody is sending any more.</summary>
    /// <returns>How many there were.</returns>
    public int DeleteIncoming()
    {
        var files = Directory.GetFiles(_incoming);
        foreach (var file in files) File.Delete(file);
        return files.Length;
    }

    /// <summary>Keys are made by this server, yet no key may ever lead out of the folder.</summary>
    private string PathOf(string key)
    {
        var path = Path.GetFullPath(Path.Combine(_objects, key));
        return path.StartsWith(_objects + "/", StringComparison.Ordinal) ? path : throw new ArgumentException($"The key '{key}' leads out of the store.", nameof(key));
    }

    private string ManifestPathOf(string key) => PathOf(key) + ".manifest.json";
}
