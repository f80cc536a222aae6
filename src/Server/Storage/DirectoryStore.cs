using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>Stores objects as files: <c>DATA_DIR/objects/KEY</c>.</summary>
internal sealed partial class DirectoryStore : IObjectStore
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

    public Task<TimeSpan?> FindClockDifferenceAsync(CancellationToken cancellationToken) =>
        Task.FromResult<TimeSpan?>(null);

    /// <summary>
    /// The server wrote the file that names the catalogue when it started. It is missing if the disk was unmounted.
    /// </summary>
    public Task PingAsync(CancellationToken cancellationToken) =>
        FindFile(ReservedKeys.Owner) is not null && Directory.Exists(_incoming)
            ? Task.CompletedTask
            : throw new StorageException(
                StorageFault.Missing,
                $"{PathOf(ReservedKeys.Owner)} or {_incoming} does not exist; is its disk mounted?"
            );

    /// <summary>Whether DATA_DIR lies in the <c>objects</c> or <c>incoming</c> of another one.</summary>
    public Task<string?> FindEnclosingAsync(CancellationToken cancellationToken)
    {
        for (var directory = Path.GetDirectoryName(_objects); directory is not null; )
        {
            var parent = Path.GetDirectoryName(directory);
            if (parent is not null && Path.GetFileName(directory) is "objects" or "incoming")
            {
                var objects = Path.Combine(parent, "objects");
                if (File.Exists(Path.Combine(objects, ReservedKeys.Owner)))
                    return Task.FromResult<string?>(objects);
            }

            directory = parent;
        }

        return Task.FromResult<string?>(null);
    }

    public Task<IObjectWriter> CreateAsync(
        string key,
        string uploadId,
        bool resumable,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IObjectWriter>(
            new DirectoryObjectWriter(
                // A stream in one body does not touch the parts that were stored before.
                AsideOf(key, uploadId) + (resumable ? "" : ".body"),
                PathOf(key),
                FileMode.Create,
                resumable
            )
        );

    public IObjectWriter Reopen(string key, string uploadId, string token) =>
        new DirectoryObjectWriter(AsideOf(key, uploadId), PathOf(key), FileMode.Open, resumable: true);

    public Task AbandonAsync(string key, string token, CancellationToken cancellationToken)
    {
        DeleteFile(Path.Combine(_incoming, Path.GetFileName(token)), durably: false);
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

    public Task ReplaceAsync(string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        try
        {
            DurableFile.Replace(PathOf(key), Path.Combine(_incoming, key), content.Span, OwnerOnly);
            return Task.CompletedTask;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromFile($"The server's disk did not store {key}", e);
        }
    }

    public Task<ObjectFacts?> FindAsync(string key, CancellationToken cancellationToken)
    {
        var file = FindFile(key);
        return Task.FromResult(file is null ? null : new ObjectFacts(file.Length, UploadId: null, LockedUntil: null));
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
        if (FindFile(key) is { } file)
            DeleteFile(file.FullName, durably: true); // keeps the order of removals
        return Task.CompletedTask;
    }

    /// <summary>Files have no retention.</summary>
    public Task<DateTimeOffset?> LockAsync(string key, DateTimeOffset until, CancellationToken cancellationToken) =>
        Task.FromResult<DateTimeOffset?>(null);

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
        return
        [
            .. FilesIn(new DirectoryInfo(_objects), SearchOption.AllDirectories)
                .Select(file => new ListedObject(Path.GetRelativePath(_objects, file.FullName), file.Length))
                .Where(file => file.Key.StartsWith(prefix, StringComparison.Ordinal))
                .OrderBy(file => file.Key, StringComparer.Ordinal),
        ];
    }

    /// <summary>Files that the server did not name itself stay, whoever put them there.</summary>
    public Task<int> RemoveIncompleteAsync(
        DateTimeOffset begunBefore,
        IReadOnlySet<string> kept,
        CancellationToken cancellationToken
    )
    {
        var files = FilesIn(new DirectoryInfo(_incoming), SearchOption.TopDirectoryOnly)
            .Where(file =>
                IncompleteName().IsMatch(file.Name)
                && new DateTimeOffset(file.LastWriteTimeUtc) < begunBefore
                && !kept.Contains(file.Name)
            )
            .ToList();
        foreach (var file in files)
            DeleteFile(file.FullName, durably: false);
        return Task.FromResult(files.Count);
    }

    /// <summary>The id of an upload, alone or with what it is: see <see cref="AsideOf"/>.</summary>
    [GeneratedRegex(@"^[0-9a-f]{32}(\.[a-z]+)?(\.body)?$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex IncompleteName();

    private static void DeleteFile(string path, bool durably)
    {
        try
        {
            File.Delete(path);
            if (durably)
                DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromFile($"The server's disk cannot delete {path}", e);
        }
    }

    private static List<FileInfo> FilesIn(DirectoryInfo directory, SearchOption depth)
    {
        try
        {
            return [.. directory.EnumerateFiles("*", depth)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromReading($"The server's disk cannot list {directory.FullName}", e);
        }
    }

    private static bool Holds(string path, ReadOnlySpan<byte> content) =>
        new FileInfo(path).Length == content.Length && content.SequenceEqual(File.ReadAllBytes(path));

    /// <summary>
    /// An object's file. <see cref="File.Exists"/> would call a file missing that cannot be reached: a deletion would
    /// count as done, and a backup as lost.
    /// </summary>
    /// <returns>Null if it does not exist.</returns>
    private FileInfo? FindFile(string key)
    {
        var path = PathOf(key);
        try
        {
            return File.GetAttributes(path).HasFlag(FileAttributes.Directory) ? null : new FileInfo(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageException.FromReading($"The server's disk cannot look for {key}", e);
        }
    }

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
