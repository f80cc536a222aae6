using System.Text.Json;
using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Ties a store to one catalogue: the object <c>zfs-server.json</c> names it. Two catalogues in one place would remove
/// each other's uploads, and each would list only its own half. A catalogue in the wrong place, or beside a disk that
/// is not mounted, would accept incrementals whose bases it does not have.
/// </summary>
internal sealed class StoreOwnership(
    IObjectStore store,
    CatalogueDatabase database,
    BackupCatalogue backups,
    TimeProvider time
)
{
    /// <summary>Of how many backups one must be in a directory of a version that did not mark it.</summary>
    private const int Samples = 8;

    private const int MaxSize = 64 * 1024;

    /// <summary>Checks that the store is this catalogue's, or may become its; changes nothing.</summary>
    /// <exception cref="OperationException">Another catalogue has it, it lacks what this one lists, or it contains
    /// backups that this one does not list.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        if (await ReadAsync(cancellationToken) is { } owner)
        {
            if (owner.CatalogueId != database.FindId())
                throw IsAnothers(owner);
            return;
        }

        if (!File.Exists(database.Path))
            await CheckEmptyAsync(new HashSet<string>(StringComparer.Ordinal), cancellationToken);
        else
            await CheckUnmarkedAsync(cancellationToken);
    }

    /// <summary>Takes the store for this catalogue, after <see cref="CheckAsync"/>.</summary>
    public async Task ClaimAsync(CancellationToken cancellationToken)
    {
        store.Prepare();
        if (await ReadAsync(cancellationToken) is null)
            await WriteAsync(database.Id, cancellationToken);
        database.NoteClaimedStore();
    }

    /// <returns>The catalogue that has the store; null if none has.</returns>
    public async Task<StoreOwner?> ReadAsync(CancellationToken cancellationToken)
    {
        if (await store.FindAsync(ReservedKeys.Owner, cancellationToken) is not { } facts)
            return null;
        if (facts.Size > MaxSize)
            throw IsDamaged($"it has {facts.Size} bytes");
        var json = new byte[facts.Size];
        await store.ReadAsync(ReservedKeys.Owner, 0, json, cancellationToken);
        try
        {
            return JsonSerializer.Deserialize(json, StoreOwnerJson.Default.StoreOwner) ?? throw IsDamaged("it is null");
        }
        catch (JsonException e)
        {
            throw IsDamaged(e.Message, e);
        }
    }

    /// <summary>
    /// A store without a mark is new, or one of a version that did not mark it, or its disk is not mounted.
    /// </summary>
    private async Task CheckUnmarkedAsync(CancellationToken cancellationToken)
    {
        var listed = backups.NewestObjectKeys(Samples);
        if (database.HasClaimedStore() || (listed.Count > 0 && !store.MayLackOwner))
            throw LacksMark("which the store of this catalogue has");
        if (listed.Count == 0)
        {
            await CheckEmptyAsync(backups.UnlistedKeys(), cancellationToken);
            return;
        }

        foreach (var key in listed)
        {
            if (await store.FindAsync(StorageKey.ManifestOf(key), cancellationToken) is not null)
                return;
        }

        throw LacksMark($"and none of the backups that the catalogue lists, such as {listed[0]}");
    }

    /// <summary>A catalogue that lists nothing would hide what is stored.</summary>
    /// <param name="known">Keys of uploads and deletions that are to be finished.</param>
    private async Task CheckEmptyAsync(IReadOnlySet<string> known, CancellationToken cancellationToken)
    {
        await foreach (var found in store.ListAsync("", cancellationToken))
        {
            if (!StorageKey.IsManifest(found.Key) || known.Contains(StorageKey.BackupOf(found.Key)))
                continue;
            throw new OperationException(
                ExitCode.Conflict,
                $"{store.Location} contains backups ({found.Key}) but names no catalogue, and {database.Path} lists "
                    + "none of them.",
                "Check METADATA_FILE. If the catalogue was lost, run 'zfs-server catalogue rebuild': it lists them."
            );
        }
    }

    private OperationException LacksMark(string reason) =>
        new(
            ExitCode.Conflict,
            $"{store.Location} is not the store of the catalogue {database.Path}: it has no {ReservedKeys.Owner}, "
                + $"{reason}.",
            "Check that its disk is mounted, DATA_DIR, METADATA_FILE and the settings of S3. If the backups are lost, "
                + $"or only {ReservedKeys.Owner} is, run 'zfs-server catalogue rebuild': it lists what is stored."
        );

    private OperationException IsDamaged(string reason, Exception? innerException = null) =>
        new(
            ExitCode.Damaged,
            $"{ReservedKeys.Owner} in {store.Location} cannot be read: {reason}",
            "Delete it, and run 'zfs-server catalogue rebuild'.",
            innerException
        );

    private OperationException IsAnothers(StoreOwner owner) =>
        new(
            ExitCode.Conflict,
            $"{store.Location} belongs to another catalogue ({owner.CatalogueId}, since "
                + $"{Timestamps.ToDay(owner.CreatedAt)}), not to {database.Path}.",
            "If another server uses it, give this one a DATA_DIR or S3_PREFIX of its own. If this catalogue is new "
                + "because the old one was lost, run 'zfs-server catalogue rebuild'."
        );

    /// <summary>Writes the catalogue's id into the store, which must not name one yet.</summary>
    public async Task<StoreOwner> WriteAsync(string catalogueId, CancellationToken cancellationToken)
    {
        var owner = new StoreOwner
        {
            FormatVersion = 1,
            CatalogueId = catalogueId,
            CreatedAt = time.GetUtcNow(),
        };
        await store.PutNewAsync(
            ReservedKeys.Owner,
            JsonSerializer.SerializeToUtf8Bytes(owner, StoreOwnerJson.Default.StoreOwner),
            catalogueId,
            ObjectKind.Manifest,
            cancellationToken
        );
        return owner;
    }
}

internal sealed record StoreOwner
{
    public required int FormatVersion { get; init; }

    public required string CatalogueId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(StoreOwner))]
internal sealed partial class StoreOwnerJson : JsonSerializerContext;
