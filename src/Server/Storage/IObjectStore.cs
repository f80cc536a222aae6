namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Keeps objects by key. An object appears whole or not at all, is never overwritten, and is on stable storage once a
/// call has returned. Any call may be repeated after it failed or was cut off. Keys are relative: where they lie is the
/// store's own affair.
/// </summary>
/// <remarks>Every call may throw <see cref="StorageException"/>.</remarks>
internal interface IObjectStore
{
    /// <summary>Where it is, for people.</summary>
    string Location { get; }

    /// <summary>Bytes of every part of an object but its last.</summary>
    int PartSize { get; }

    /// <summary>The most parts that one object may have.</summary>
    int MaxParts { get; }

    /// <summary>Until when what is stored now can be deleted by nobody; null where it can.</summary>
    DateTimeOffset? LockedUntil { get; }

    /// <summary>Sees by the cheapest call whether the store answers.</summary>
    /// <exception cref="StorageException">It does not, or what lies in every store in use is not there.</exception>
    Task PingAsync(CancellationToken cancellationToken);

    /// <summary>Begins an object that nobody sees until it is completed.</summary>
    /// <param name="uploadId">Names the one who writes it; given back by <see cref="FindAsync"/> where the store can
    /// keep it.</param>
    /// <param name="resumable">What is written stays when the writer is disposed, for <see cref="Reopen"/>.</param>
    Task<IObjectWriter> CreateAsync(string key, string uploadId, bool resumable, CancellationToken cancellationToken);

    /// <summary>
    /// Goes on with an object that was begun as resumable, also in another process; several may write parts of it at
    /// once.
    /// </summary>
    /// <param name="token">The <see cref="IObjectWriter.Token"/> of the one who began it.</param>
    IObjectWriter Reopen(string key, string uploadId, string token);

    /// <summary>
    /// Removes what was written of an object that was begun as resumable; what is no longer there counts as removed.
    /// </summary>
    Task AbandonAsync(string key, string token, CancellationToken cancellationToken);

    /// <summary>Stores an object in one go.</summary>
    /// <param name="kind">What it is.</param>
    /// <exception cref="StorageException"><see cref="StorageFault.Exists"/>: the key is taken, and not by what an
    /// earlier attempt of the same upload stored.</exception>
    Task PutNewAsync(
        string key,
        ReadOnlyMemory<byte> content,
        string uploadId,
        ObjectKind kind,
        CancellationToken cancellationToken
    );

    /// <returns>Null where there is no such object.</returns>
    Task<ObjectFacts?> FindAsync(string key, CancellationToken cancellationToken);

    /// <summary>Fills <paramref name="destination"/> from an object.</summary>
    /// <exception cref="StorageException"><see cref="StorageFault.Missing"/>: there is no such object, or it ends
    /// before.</exception>
    Task ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>Removes an object; one that is not there counts as removed.</summary>
    /// <exception cref="StorageException"><see cref="StorageFault.Locked"/>: it is under a retention.</exception>
    Task DeleteAsync(string key, CancellationToken cancellationToken);

    /// <summary>All objects whose keys start with a text, by key, page by page.</summary>
    IAsyncEnumerable<ListedObject> ListAsync(string prefix, CancellationToken cancellationToken);

    /// <summary>Removes what objects that were begun and never completed have left.</summary>
    /// <param name="begunBefore">Younger ones stay: somebody may be writing them.</param>
    /// <param name="kept">Tokens of those that stay, too: their uploads go on later.</param>
    /// <returns>How many there were.</returns>
    Task<int> RemoveIncompleteAsync(
        DateTimeOffset begunBefore,
        IReadOnlySet<string> kept,
        CancellationToken cancellationToken
    );
}

/// <summary>
/// An object on its way in. Unless it is completed or resumable, disposing it removes what was written.
/// </summary>
internal interface IObjectWriter : IAsyncDisposable
{
    /// <summary>The store's name for what was begun.</summary>
    string Token { get; }

    /// <summary>
    /// Writes one part; on stable storage once the call has returned. Several may be written at once, in any order, and
    /// again.
    /// </summary>
    /// <param name="number">From 0. All parts but the last have at least <see cref="IObjectStore.PartSize"/>
    /// bytes.</param>
    /// <param name="offset">Where it begins in the object: the parts before it end there.</param>
    /// <param name="content">Not changed until the call returns.</param>
    /// <param name="sha256">Its digest, lower-case hex.</param>
    /// <returns>What <see cref="CompleteAsync"/> must be told of it.</returns>
    /// <exception cref="StorageException"><see cref="StorageFault.Missing"/>: what was begun is gone.</exception>
    Task<WrittenPart> WritePartAsync(
        int number,
        long offset,
        ReadOnlyMemory<byte> content,
        string sha256,
        CancellationToken cancellationToken
    );

    /// <summary>Gives the object its key, once all parts are written. May be repeated.</summary>
    /// <param name="parts">All of them, in order.</param>
    /// <exception cref="StorageException"><see cref="StorageFault.Exists"/>: the key is taken.</exception>
    Task CompleteAsync(IReadOnlyList<WrittenPart> parts, CancellationToken cancellationToken);
}

/// <param name="Size">In bytes.</param>
/// <param name="Receipt">What the store said of it; empty where it says nothing.</param>
internal readonly record struct WrittenPart(int Size, string Receipt);

internal enum ObjectKind
{
    /// <summary>A backup's bytes.</summary>
    Stream,

    /// <summary>Small, and read often: a manifest.</summary>
    Manifest,
}

/// <param name="Size">In bytes.</param>
/// <param name="UploadId">Who wrote it; null where the store does not keep that.</param>
/// <param name="LockedUntil">Until when it cannot be deleted; null where it can.</param>
internal sealed record ObjectFacts(long Size, string? UploadId, DateTimeOffset? LockedUntil);

internal readonly record struct ListedObject(string Key, long Size);
