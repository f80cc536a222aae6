using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Objects;

/// <summary>Opens uploads into the object store.</summary>
internal sealed class ObjectOpening(
    BackupStore store,
    UploadCatalogue uploads,
    StoredBase storedBase,
    ClientQuota quota
)
{
    /// <summary>
    /// Reserves the first key that neither the catalogue nor the store uses: a rebuilt catalogue may not list every
    /// object.
    /// </summary>
    /// <inheritdoc cref="IUploadBackend.OpenAsync"/>
    public async Task<UploadRecord> RunAsync(
        ClientEntry client,
        UploadRecord wanted,
        IEnumerable<(string SnapshotId, string StorageKey)> names,
        CancellationToken cancellationToken
    )
    {
        if (wanted.FromGuid is { } from)
            await storedBase.DemandAsync(client.ClientId, from, _ => true, cancellationToken);
        await quota.CheckAsync(client, wanted);
        foreach (var (id, key) in names)
        {
            if (!uploads.IsUnused(id) || await store.ExistsAsync(key, cancellationToken))
                continue;
            if (uploads.Open(wanted with { SnapshotId = id, ObjectKey = key }) is { } opened)
                return opened;
        }

        throw new InvalidOperationException("The candidates for a key ended.");
    }
}
