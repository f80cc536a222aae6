using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Notices that another server has taken the store with a copy of this catalogue: a cloned machine, a restored copy
/// beside the old host. Each start raises the epoch in <c>zfs-server.json</c>, and the server that runs looks at it
/// before it commits or deletes. Two catalogues that both change one store would break each other's chains. A store
/// that cannot be marked, such as one on a full disk, stops neither restores nor deletions; it is marked later.
/// </summary>
internal sealed partial class StoreFence(
    IObjectStore store,
    StoreOwnership ownership,
    CatalogueDatabase database,
    ServerRun run,
    TimeProvider time,
    ILogger<StoreFence> logger
)
{
    /// <summary>How long a look at the store is good for.</summary>
    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();

    /// <summary>What the store said at the start; null before.</summary>
    private StoreOwner? _found;

    private volatile bool _isTaken;
    private long _seen;

    /// <summary>The last look; all who ask meanwhile wait for it. Guarded by the lock.</summary>
    private Task _look = Task.CompletedTask;

    /// <summary>Takes the store for this run of the server, if it can be written.</summary>
    public async Task RaiseAsync(CancellationToken cancellationToken)
    {
        _found = await ownership.ReadAsync(cancellationToken) ?? throw Lost();
        await TryTakeAsync(_found, cancellationToken);
    }

    /// <summary>Before anything in the store is committed or deleted.</summary>
    /// <exception cref="StorageException">The store is another server's by now, or no longer exists.</exception>
    public Task DemandAsync(CancellationToken cancellationToken)
    {
        if (_found is null || (_isTaken && time.GetElapsedTime(Interlocked.Read(ref _seen)) < GoodFor))
            return Task.CompletedTask;
        lock (_lock)
        {
            if (_look.IsCompleted)
                _look = LookAsync(_found);
            return _look.WaitAsync(cancellationToken);
        }
    }

    private async Task LookAsync(StoreOwner found)
    {
        var now = time.GetTimestamp();
        var owner = await ownership.ReadAsync(CancellationToken.None) ?? throw Lost();
        var isUnchanged = owner.Run == run.Id || (!_isTaken && owner.Run == found.Run);
        if (owner.CatalogueId != database.Id || !isUnchanged)
            throw new StorageException(
                StorageFault.Refused,
                $"Another zfs-server uses {store.Location}: on {owner.Host ?? "a host of an earlier version"}, since "
                    + $"{owner.StartedAt ?? owner.CreatedAt:u} (start {owner.Epoch}; this one knows of "
                    + $"{database.FindStoreEpoch()}). This one stores and deletes no more objects; stop one of them."
            );
        if (!_isTaken)
            await TryTakeAsync(owner, CancellationToken.None);
        Interlocked.Exchange(ref _seen, now);
    }

    private async Task TryTakeAsync(StoreOwner owner, CancellationToken cancellationToken)
    {
        // An attempt whose answer was lost may have written it.
        if (owner.Run != run.Id && !await TryMarkAsync(owner, cancellationToken))
            return;
        Interlocked.Exchange(ref _seen, time.GetTimestamp());
        _isTaken = true;
    }

    private async Task<bool> TryMarkAsync(StoreOwner owner, CancellationToken cancellationToken)
    {
        // If the last start noted its number and could not mark the store, the number is still free.
        var epoch = Math.Max(owner.Epoch + 1, database.FindStoreEpoch());
        // The catalogue first: it must never seem older than the store that it has just raised.
        if (!database.TryNoteStoreStart(epoch, run.Id, owner.Run))
        {
            LogNotTaken(store.Location, "the disk of the catalogue is full or read-only");
            return false;
        }

        var raised = owner with
        {
            Epoch = epoch,
            Run = run.Id,
            Host = Environment.MachineName,
            StartedAt = time.GetUtcNow(),
        };
        try
        {
            await store.ReplaceAsync(ReservedKeys.Owner, raised.ToJson(), cancellationToken);
            return true;
        }
        catch (StorageException e) when (e.Fault is StorageFault.Full or StorageFault.Failed or StorageFault.Refused)
        {
            LogNotTaken(store.Location, e.Message);
            return false;
        }
    }

    private StorageException Lost() =>
        new(
            StorageFault.Missing,
            $"{ReservedKeys.Owner} is not in {store.Location}: it is no longer the store of this server."
        );

    [LoggerMessage(
        LogLevel.Warning,
        "{Location} cannot be marked as used by this run of the server; this is tried again before the next commit or "
            + "deletion. {Reason}"
    )]
    private partial void LogNotTaken(string location, string reason);
}
