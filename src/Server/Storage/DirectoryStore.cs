using System.Runtime.CompilerServices;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>Stores objects as files: <c>DATA_DIR/objects/KEY</c>.</summary>
internal sealed class DirectoryStore : IObjectStore
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _objects;
    private readonly string _incoming;

    public DirectoryStore(ServerSettings settings)
    {
        PartSize = settings.PartSize;
        _objects = Path.Combine(settings.DataDirectory, "objects");
        _incoming = Path.Combine(settings.DataDirectory, "incoming");
    }

    public string Location => _objects;

    /// <summary>
    /// Checks that a complete object can be renamed to its key: <c>incoming</c>, <c>objects</c> and the directories
    /// in it must be on one file system and below one mount point.
    /// </summary>
    /// <exception cref="OperationException">They are not, or cannot be read.</exception>
    public static void CheckFileSystem(string dataDirectory)
    {
        var incoming = Path.Combine(dataDirectory, "incoming");
        var objects = Path.Combine(dataDirectory, "objects");
        // What does not exist yet is created in DATA_DIR.
        if ((FileState.Of(incoming) ?? FileState.Of(dataDirectory)) is not { } first || !Directory.Exists(objects))
            return;
        string[] directories;
        try
        {
            directories = [objects, .. Directory.EnumerateDirectories(objects)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"{objects} cannot be read: {e.Message}",
                $"Give it to the server's user: chown -R USER {objects}",
                e
            );
        }

        var other = directories.FirstOrDefault(path => FileState.Of(path) is { } state && !state.IsOnMountOf(first));
        if (other is not null)
            throw new OperationException(
                ExitCode.Configuration,
                $"{other} is on another file system than {incoming}: no complete backup could be moved there.",
                "Mount the file system at DATA_DIR instead, so that both are on it (METADATA_FILE may be elsewhere)."
            );
    }

    /// <summary>
    /// Requests cost nothing here, so parts may be smaller than in S3: less memory, and damage is located more
    /// precisely.
    /// </summary>
    public int PartSize { get; }

    /// <summary>Files have no relevant limit.</summary>
    public int MaxParts => int.MaxValue;

    public DateTimeOffset? LockedUntil => null;

    public bool MayLackOwner => true;

    public void Prepare()
    {
        try
        {
            DurableFile.CreateDirectory(_objects);
            DurableFile.CreateDirectory(_incoming);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromFile($"{_objects} and {_incoming} cannot be created", e);
        }
    }

    /// <summary>
    /// The server wrote the file that names the catalogue when it started. It is missing if the disk was unmounted.
    /// </summary>
    public Task PingAsync(CancellationToken cancellationToken) =>
        File.Exists(PathOf(ReservedKeys.Owner)) && Directory.Exists(_incoming)
            ? Task.CompletedTask
            : throw new StorageException(
                StorageFault.Missing,
                $"{PathOf(ReservedKeys.Owner)} or {_incoming} does not exist; is its disk mounted?"
            );

    public Task<IObjectWriter> CreateAsync(
        string key,
        string uploadId,
        bool resumable,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IObjectWriter>(
            new DirectoryObjectWriter(AsideOf(key, uploadId), PathOf(key), FileMode.Create, resumable)
        );

    public IObjectWriter Reopen(string key, string uploadId, string token) =>
        new DirectoryObjectWriter(AsideOf(key, uploadId), PathOf(key), FileMode.Open, resumable: true);

    public Task AbandonAsync(string key, string token, CancellationToken cancellationToken)
    {
        File.Delete(Path.Combine(_incoming, Path.GetFileName(token)));
        return Task.CompletedTask;
    }

    public Task PutNewAsync(
        string key,
        ReadOnlyMemory<byte> content,
        string uploadId,
        ObjectKind kind,
        CancellationToken cancellationToken
    )
    {
        var path = PathOf(key);
        try
        {
            DurableFile.CreateDirectory(Path.GetDirectoryName(path)!);
            DurableFile.Create(path, AsideOf(key, uploadId), content.Span, OwnerOnly);
        }
        catch (IOException) when (File.Exists(path))
        {
            // An earlier attempt may have stored it; then only its last step is repeated.
            if (!Holds(path, content.Span))
                throw new StorageException(StorageFault.Exists, $"The object {key} already exists.");
            DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromFile($"The server's disk did not store {key}", e);
        }

        return Task.CompletedTask;
    }

    public Task<ObjectFacts?> FindAsync(string key, CancellationToken cancellationToken)
    {
        var file = new FileInfo(PathOf(key));
        return Task.FromResult(file.Exists ? new ObjectFacts(file.Length, UploadId: null, LockedUntil: null) : null);
    }

    public async Task ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        try
        {
            using var file = File.OpenHandle(
                PathOf(key),
                FileMode.Open,
                FileAccess.Read,
                FileShare.Read | FileShare.Delete,
                FileOptions.Asynchronous
            );
            var read = 0;
            while (read < destination.Length)
            {
                var count = await RandomAccess.ReadAsync(file, destination[read..], offset + read, cancellationToken);
                if (count == 0)
                    throw new StorageException(
                        StorageFault.Missing,
                        $"The object {key} ends after {offset + read} bytes."
                    );
                read += count;
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new StorageException(StorageFault.Missing, $"The object {key} is not in the store.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromReading($"The server's disk cannot read {key}", e);
        }
    }

    public Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        var path = PathOf(key);
        try
        {
            if (File.Exists(path))
            {
                File.Delete(path);
                DurableFile.SyncDirectory(Path.GetDirectoryName(path)!); // keeps the order of removals
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromFile($"The server's disk cannot delete {key}", e);
        }

        return Task.CompletedTask;
    }

    public async IAsyncEnumerable<ListedObject> ListAsync(
        string prefix,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        await Task.CompletedTask;
        foreach (var file in Files(prefix))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return file;
        }
    }

    private List<ListedObject> Files(string prefix)
    {
        if (!Directory.Exists(_objects))
            return [];
        try
        {
            return
            [
                .. new DirectoryInfo(_objects)
                    .EnumerateFiles("*", SearchOption.AllDirectories)
                    .Select(file => new ListedObject(Path.GetRelativePath(_objects, file.FullName), file.Length))
                    .Where(file => file.Key.StartsWith(prefix, StringComparison.Ordinal))
                    .OrderBy(file => file.Key, StringComparer.Ordinal),
            ];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromReading($"The server's disk cannot list {_objects}", e);
        }
    }

    public Task<int> RemoveIncompleteAsync(
        DateTimeOffset begunBefore,
        IReadOnlySet<string> kept,
        CancellationToken cancellationToken
    )
    {
        var files = new DirectoryInfo(_incoming)
            .GetFiles()
            .Where(file => new DateTimeOffset(file.LastWriteTimeUtc) < begunBefore && !kept.Contains(file.Name))
            .ToList();
        foreach (var file in files)
            file.Delete();
        return Task.FromResult(files.Count);
    }

    private static bool Holds(string path, ReadOnlySpan<byte> content) =>
        new FileInfo(path).Length == content.Length && content.SequenceEqual(File.ReadAllBytes(path));

    /// <summary>The server makes the keys itself; still, no key may ever lead out of the directory.</summary>
    private string PathOf(string key)
    {
        var path = Path.GetFullPath(Path.Combine(_objects, key));
        return path.StartsWith(_objects + "/", StringComparison.Ordinal)
            ? path
            : throw new ArgumentException($"The key '{key}' leads out of the store.", nameof(key));
    }

    /// <summary>
    /// The path where an object is written before it gets its key; leftovers of an earlier attempt are overwritten.
    /// </summary>
    private string AsideOf(string key, string uploadId)
    {
        var path = PathOf(key);
        return Path.Combine(_incoming, StorageKey.IsManifest(key) ? uploadId + ".manifest" : uploadId);
    }
}
