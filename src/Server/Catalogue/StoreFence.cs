using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Notices that another server has taken the store with a copy of this catalogue: a cloned machine, a restored copy
/// beside the old host. Each start raises the epoch in <c>zfs-server.json</c>, and the server that runs looks at it
/// before it commits or deletes. Two catalogues that both change one store would break each other's chains.
/// </summary>
internal sealed class StoreFence(
    IObjectStore store,
    StoreOwnership ownership,
    CatalogueDatabase database,
    TimeProvider time
)
{
    /// <summary>How long a look at the store is good for.</summary>
    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(5);

    private long? _epoch;
    private string? _run;
    private long _seen;

    /// <summary>Takes the store for this run of the server.</summary>
    public async Task RaiseAsync(CancellationToken cancellationToken)
    {
        if (await ownership.ReadAsync(cancellationToken) is not { } owner)
            throw Lost();
        var epoch = Math.Max(owner.Epoch, database.FindStoreEpoch()) + 1;
        // The catalogue first: it must never seem older than the store that it has just raised.
        if (!database.TryNoteStoreEpoch(epoch))
            return; // its disk is full: nothing can be committed, and restores are possible
        var raised = owner with
        {
            Epoch = epoch,
            Run = Guid.NewGuid().ToString("N"),
            Host = Environment.MachineName,
            StartedAt = time.GetUtcNow(),
        };
        await store.ReplaceAsync(ReservedKeys.Owner, raised.ToJson(), cancellationToken);
        (_epoch, _run, _seen) = (epoch, raised.Run, time.GetTimestamp());
    }

    /// <summary>Before anything in the store is committed or deleted.</summary>
    /// <exception cref="StorageException">The store is another server's by now, or no longer exists.</exception>
    public async Task DemandAsync(CancellationToken cancellationToken)
    {
        if (_run is null || time.GetElapsedTime(Interlocked.Read(ref _seen)) < GoodFor)
            return;
        var now = time.GetTimestamp();
        if (await ownership.ReadAsync(cancellationToken) is not { } owner)
            throw Lost();
        if (owner.CatalogueId != database.Id || owner.Run != _run)
            throw new StorageException(
                StorageFault.Refused,
                $"Another zfs-server uses {store.Location}: on {owner.Host ?? "a host of an earlier version"}, since "
                    + $"{owner.StartedAt ?? owner.CreatedAt:u} (start {owner.Epoch}, this one is {_epoch}). This one "
                    + "stores and deletes nothing more; stop one of them."
            );
        Interlocked.Exchange(ref _seen, now);
    }

    private StorageException Lost() =>
        new(
            StorageFault.Missing,
            $"{ReservedKeys.Owner} is not in {store.Location}: it is no longer the store of this server."
        );
}
