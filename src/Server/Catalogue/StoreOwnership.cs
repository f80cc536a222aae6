using System.Text.Json;
using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Ties a bucket and prefix to one catalogue: the object <c>zfs-server.json</c> names it. Two catalogues in one place
/// would remove each other's uploads, and each would list only its own half.
/// </summary>
internal sealed class StoreOwnership(IObjectStore store, CatalogueDatabase database, TimeProvider time)
{
    /// <summary>Claims the store for this server's catalogue, or confirms that it has it.</summary>
    /// <exception cref="OperationException">Another catalogue has it, or it contains backups that this one does not
    /// list.</exception>
    public async Task ClaimAsync(CancellationToken cancellationToken)
    {
        var own = database.GetId();
        var owner = await ReadAsync(cancellationToken) ?? await ClaimEmptyAsync(own, cancellationToken);
        if (owner.CatalogueId != own)
            throw IsAnothers(owner);
    }

    /// <summary>Checks whether <see cref="ClaimAsync"/> would succeed; changes nothing.</summary>
    /// <inheritdoc cref="ClaimAsync"/>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        if (await ReadAsync(cancellationToken) is not { } owner)
            await CheckEmptyAsync(cancellationToken);
        else if (owner.CatalogueId != database.FindId())
            throw IsAnothers(owner);
    }

    /// <returns>The catalogue that has the store; null if none has.</returns>
    public async Task<StoreOwner?> ReadAsync(CancellationToken cancellationToken)
    {
        if (await store.FindAsync(ReservedKeys.Owner, cancellationToken) is not { Size: > 0 and < 64 * 1024 } facts)
            return null;
        var json = new byte[facts.Size];
        await store.ReadAsync(ReservedKeys.Owner, 0, json, cancellationToken);
        try
        {
            return JsonSerializer.Deserialize(json, StoreOwnerJson.Default.StoreOwner);
        }
        catch (JsonException e)
        {
            throw new OperationException(
                ExitCode.Damaged,
                $"{ReservedKeys.Owner} in {store.Location} cannot be read: {e.Message}",
                "Delete it, and run 'zfs-server catalogue rebuild'.",
                e
            );
        }
    }

    /// <summary>Only a store without backups is claimed: no catalogue would list those in it.</summary>
    private async Task<StoreOwner> ClaimEmptyAsync(string own, CancellationToken cancellationToken)
    {
        await CheckEmptyAsync(cancellationToken);
        return await WriteAsync(own, cancellationToken);
    }

    private async Task CheckEmptyAsync(CancellationToken cancellationToken)
    {
        await foreach (var found in store.ListAsync("", cancellationToken))
        {
            if (!StorageKey.IsManifest(found.Key))
                continue;
            throw new OperationException(
                ExitCode.Conflict,
                $"{store.Location} contains backups ({found.Key}) but names no catalogue.",
                "Run 'zfs-server catalogue rebuild' to list them."
            );
        }
    }

    private OperationException IsAnothers(StoreOwner owner) =>
        new(
            ExitCode.Conflict,
            $"{store.Location} belongs to another catalogue ({owner.CatalogueId}, since "
                + $"{Timestamps.ToDay(owner.CreatedAt)}), not to {database.Path}.",
            "If another server uses it, give this one an S3_PREFIX of its own. If this catalogue is new because the "
                + "old one was lost, run 'zfs-server catalogue rebuild'."
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
