using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Opens new uploads: reserves the snapshot id and, in the object store, the key.</summary>
internal sealed class UploadOpening(
    UploadCatalogue uploads,
    BackupStore store,
    ClientDatasets datasets,
    ClientQuota quota,
    MachineCheck machines,
    ServerSettings settings,
    TimeProvider time
)
{
    /// <inheritdoc cref="MachineCheck.Run"/>
    public void DemandOwnMachine(UploadRecord wanted, bool takesOver) => machines.Run(wanted, takesOver);

    /// <param name="wanted">What was announced, without id and key.</param>
    /// <param name="timestamp">When the snapshot was made, for the id; null: now.</param>
    /// <exception cref="RequestException">The client has too many uploads or no space, or the server has no ZFS for
    /// it.</exception>
    public Task<UploadRecord> OpenAsync(
        ClientEntry client,
        UploadRecord wanted,
        DateTimeOffset? timestamp,
        CancellationToken cancellationToken
    )
    {
        if (uploads.List(client.ClientId).Count >= settings.MaxOpenUploads)
        {
            throw new RequestException(
                StatusCodes.Status429TooManyRequests,
                "too_many_uploads",
                $"{client.ClientId} has {settings.MaxOpenUploads} uploads open.",
                "GET /uploads lists them; resume or drop them."
            );
        }

        var names = StorageKey.Candidates(
            client.ClientId,
            wanted.DatasetName,
            timestamp ?? time.GetUtcNow(),
            wanted.Compression
        );
        return wanted.IsLocal
            ? OpenLocalAsync(client, wanted, names, cancellationToken)
            : OpenObjectAsync(client, wanted, names, cancellationToken);
    }

    /// <summary>
    /// Reserves the first key that neither the catalogue nor the store uses: a rebuilt catalogue may not list every
    /// object.
    /// </summary>
    private async Task<UploadRecord> OpenObjectAsync(
        ClientEntry client,
        UploadRecord wanted,
        IEnumerable<(string SnapshotId, string StorageKey)> names,
        CancellationToken cancellationToken
    )
    {
        await quota.CheckAsync(client);
        foreach (var (id, key) in names)
        {
            if (!uploads.IsUnused(id) || await store.ExistsAsync(key, cancellationToken))
                continue;
            if (uploads.Open(wanted with { SnapshotId = id, StorageKey = key }) is { } opened)
                return opened;
        }

        throw new InvalidOperationException("The candidates for a key ended.");
    }

    /// <summary>The snapshot's name in ZFS is chosen when its stream begins.</summary>
    private async Task<UploadRecord> OpenLocalAsync(
        ClientEntry client,
        UploadRecord wanted,
        IEnumerable<(string SnapshotId, string StorageKey)> names,
        CancellationToken cancellationToken
    )
    {
        if (!datasets.IsOffered(client))
            throw new RequestException(
                StatusCodes.Status501NotImplemented,
                "storage_type_unavailable",
                "This server has no local ZFS storage for this client.",
                "Use STORAGE_TYPE=s3: the server's object store."
            );
        var parent = await datasets.EnsureAsync(client, cancellationToken);
        await quota.EnsureLocalAsync(client, 1, cancellationToken);
        foreach (var (id, _) in names)
        {
            if (!uploads.IsUnused(id))
                continue;
            if (uploads.Open(wanted with { SnapshotId = id, StorageKey = parent.Value }) is { } opened)
                return opened;
        }

        throw new InvalidOperationException("The candidates for a snapshot id ended.");
    }
}
