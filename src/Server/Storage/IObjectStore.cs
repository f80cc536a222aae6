namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Stores objects by key. An object appears complete or not at all, is never overwritten, and is on stable storage once
/// the call has returned. Any call may be repeated after it failed or was interrupted. Keys are relative to the store.
/// </summary>
/// <remarks>Every call may throw <see cref="StorageException"/>.</remarks>
internal interface IObjectStore
{
    /// <summary>Where it is, human-readable.</summary>
    string Location { get; }

    /// <summary>The least bytes of every part of an object but its last.</summary>
    int PartSize { get; }

    /// <summary>The most parts of one object.</summary>
    int MaxParts { get; }

    /// <summary>When the retention of an object stored now would end; null without a retention.</summary>
    DateTimeOffset? LockedUntil { get; }

    /// <summary>
    /// Whether versions before 0.2 used such a store without <see cref="ReservedKeys.Owner"/>.
    /// </summary>
    bool MayLackOwner { get; }

    /// <summary>Creates what an empty store consists of; what exists stays as it is.</summary>
    void Prepare();

    /// <summary>Checks by the cheapest call whether the store answers.</summary>
    /// <exception cref="StorageException">It does not, or lacks what every store in use has.</exception>
    Task PingAsync(CancellationToken cancellationToken);

    /// <summary>Asks a store that knows the time by itself, as S3 does.</summary>
    /// <returns>How far this machine's clock is ahead of it, to the second; null if it knows no time.</returns>
    Task<TimeSpan?> FindClockDifferenceAsync(CancellationToken cancellationToken);

    /// <summary>Looks for another server's store in which this one lies.</summary>
    /// <returns>Its location; null if none does.</returns>
    Task<string?> FindEnclosingAsync(CancellationToken cancellationToken);

    /// <summary>Creates an object that is not visible until it is completed.</summary>
    /// <param name="uploadId">Identifies the writer; returned by <see cref="FindAsync"/> if the store can keep
    /// it.</param>
    /// <param name="resumable">What is written stays when the writer is disposed, for <see cref="Reopen"/>.</param>
    Task<IObjectWriter> CreateAsync(string key, string uploadId, bool resumable, CancellationToken cancellationToken);

    /// <summary>
    /// Continues an object that was created as resumable, also in another process. Several writers may write parts of
    /// it at once.
    /// </summary>
    /// <param name="token">The <see cref="IObjectWriter.Token"/> of the writer that created it.</param>
    IObjectWriter Reopen(string key, string uploadId, string token);

    /// <summary>
    /// Removes what was written of an object that was created as resumable; what no longer exists counts as removed.
    /// </summary>
    Task AbandonAsync(string key, string token, CancellationToken cancellationToken);

    /// <summary>Stores an object in one call.</summary>
    /// <param name="kind">What it is.</param>
    /// <exception cref="StorageException"><see cref="StorageFault.Exists"/>: the key exists, and not from an earlier
    /// attempt of the same upload.</exception>
    Task PutNewAsync(
        string key,
        ReadOnlyMemory<byte> content,
        string uploadId,
        ObjectKind kind,
        CancellationToken cancellationToken
    );

    /// <summary>Replaces a small object of the server's own, or creates it. Backups are never replaced.</summary>
    /// <param name="key">One of <see cref="ReservedKeys"/>.</param>
    Task ReplaceAsync(string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <returns>Null if no such object exists.</returns>
    Task<ObjectFacts?> FindAsync(string key, CancellationToken cancellationToken);

    /// <summary>Fills <paramref name="destination"/> from an object.</summary>
    /// <exception cref="StorageException"><see cref="StorageFault.Missing"/>: no such object exists, or it ends
    /// before.</exception>
    Task ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>Removes an object; one that does not exist counts as removed.</summary>
    /// <exception cref="StorageException"><see cref="StorageFault.Locked"/>: it is under a retention.</exception>
    Task DeleteAsync(string key, CancellationToken cancellationToken);

    /// <summary>
    /// Extends an object's retention to a moment; one that ends later stays. Only for a store with
    /// <see cref="LockedUntil"/>.
    /// </summary>
    /// <returns>When the object's retention ends, as the store says; null if it has none.</returns>
    Task<DateTimeOffset?> LockAsync(string key, DateTimeOffset until, CancellationToken cancellationToken);

    /// <summary>All objects whose keys start with a prefix, ordered by key; fetched page by page.</summary>
    IAsyncEnumerable<ListedObject> ListAsync(string prefix, CancellationToken cancellationToken);

    /// <summary>
    /// Removes objects that this server created and never completed. What other programs began stays.
    /// </summary>
    /// <param name="begunBefore">Younger ones stay: they may be being written.</param>
    /// <param name="kept">Tokens of objects that also stay: their uploads may be resumed.</param>
    /// <returns>The number of objects removed.</returns>
    Task<int> RemoveIncompleteAsync(
        DateTimeOffset begunBefore,
        IReadOnlySet<string> kept,
        CancellationToken cancellationToken
    );
}

/// <summary>
/// An object that is being written. Unless it is completed or resumable, disposing removes what was written.
/// </summary>
internal interface IObjectWriter : IAsyncDisposable
{
    /// <summary>The store's name for the incomplete object.</summary>
    string Token { get; }

    /// <summary>
    /// Writes one part; on stable storage once the call has returned. Several may be written at once, in any order, and
    /// repeatedly.
    /// </summary>
    /// <param name="number">From 0. All parts but the last have at least <see cref="IObjectStore.PartSize"/>
    /// bytes.</param>
    /// <param name="offset">Offset of the part in the object: the parts before it end there.</param>
    /// <param name="content">Not changed until the call returns.</param>
    /// <param name="sha256">Its digest, lower-case hex.</param>
    /// <returns>What <see cref="CompleteAsync"/> needs for it.</returns>
    /// <exception cref="StorageException"><see cref="StorageFault.Missing"/>: the incomplete object no longer
    /// exists.</exception>
    Task<WrittenPart> WritePartAsync(
        int number,
        long offset,
        ReadOnlyMemory<byte> content,
        string sha256,
        CancellationToken cancellationToken
    );

    /// <summary>Gives the object its key, once all parts are written. May be repeated.</summary>
    /// <param name="parts">All of them, in order. They may be very many, except in S3.</param>
    /// <exception cref="StorageException"><see cref="StorageFault.Exists"/>: the key is in use.</exception>
    Task CompleteAsync(IEnumerable<WrittenPart> parts, CancellationToken cancellationToken);
}

/// <param name="Size">In bytes.</param>
/// <param name="Receipt">What the store returned for it; empty if nothing.</param>
internal readonly record struct WrittenPart(int Size, string Receipt);

internal enum ObjectKind
{
    /// <summary>A backup's bytes.</summary>
    Stream,

    /// <summary>A manifest: small, and read often.</summary>
    Manifest,
}

/// <param name="Size">In bytes.</param>
/// <param name="UploadId">The upload that wrote it; null if the store does not keep that.</param>
/// <param name="LockedUntil">Until when it cannot be deleted; null if it can.</param>
internal sealed record ObjectFacts(long Size, string? UploadId, DateTimeOffset? LockedUntil);

internal readonly record struct ListedObject(string Key, long Size);
