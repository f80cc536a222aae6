using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// Ties a store to one catalogue: the object <c>zfs-server.json</c> names it. Two catalogues in one place would remove
/// each other's uploads, and each would list only its own half. A catalogue in the wrong place, or beside a disk that
/// is not mounted, would accept incrementals whose bases it does not have.
/// </summary>
internal sealed partial class StoreOwnership(
    IObjectStore store,
    CatalogueDatabase database,
    BackupCatalogue backups,
    TimeProvider time,
    ILogger<StoreOwnership> logger
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
            if (owner.Epoch > database.FindStoreEpoch())
                throw IsAhead(owner);
            if (owner.Run is { } run && !database.KnowsStoreRun(run))
                throw IsOfCopy(owner);
            return;
        }

        if (await store.FindEnclosingAsync(cancellationToken) is { } enclosing)
            throw IsNested($"{store.Location} lies within {enclosing}");
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
        else if (await store.FindEnclosingAsync(cancellationToken) is { } enclosing)
            LogNested(store.Location, enclosing); // both are in use since a version that allowed it
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
        string? unknown = null;
        await foreach (var found in store.ListAsync("", cancellationToken))
        {
            if (found.Key.EndsWith($"/{ReservedKeys.Owner}", StringComparison.Ordinal))
                throw IsNested($"{store.Location} contains another server's ({found.Key})");
            if (StorageKey.IsManifest(found.Key) && !known.Contains(StorageKey.BackupOf(found.Key)))
                unknown ??= found.Key;
        }

        if (unknown is not null)
            throw new OperationException(
                ExitCode.Conflict,
                $"{store.Location} contains backups ({unknown}) but names no catalogue, and {database.Path} lists "
                    + "none of them.",
                "Check METADATA_FILE. If the catalogue was lost, run 'zfs-server catalogue rebuild': it lists them."
            );
    }

    /// <summary>
    /// The outer server would list the inner one's objects as its own, and 'catalogue check' call them superfluous.
    /// </summary>
    private static OperationException IsNested(string what) =>
        new(
            ExitCode.Conflict,
            $"The stores of two servers must not lie within each other: {what}.",
            "Give each server a DATA_DIR, a bucket, or an S3_PREFIX beside the other one's."
        );

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

    /// <summary>An old catalogue lacks what was stored since, and lists what was deleted since.</summary>
    private OperationException IsAhead(StoreOwner owner) =>
        new(
            ExitCode.Conflict,
            $"The catalogue {database.Path} is older than {store.Location}: a server with a later copy of it used the "
                + $"store, on {owner.Host} since {owner.StartedAt:u} (start {owner.Epoch} of the store; this catalogue "
                + $"knows of {database.FindStoreEpoch()}).",
            "If that server still runs, stop one of them. If this catalogue is a restored copy, run 'zfs-server "
                + "catalogue rebuild': it lists what is stored."
        );

    /// <summary>Two copies of one catalogue may count the same number of starts.</summary>
    private OperationException IsOfCopy(StoreOwner owner) =>
        new(
            ExitCode.Conflict,
            $"{store.Location} was last used with another copy of the catalogue {database.Path}, on {owner.Host} since "
                + $"{owner.StartedAt:u} (start {owner.Epoch} of the store).",
            "If that server still runs, stop one of them. If this catalogue is the one to keep, run 'zfs-server "
                + "catalogue rebuild': it lists what is stored."
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
            owner.ToJson(),
            catalogueId,
            ObjectKind.Manifest,
            cancellationToken
        );
        // Without conditional writes, another server may have written its own at the same moment.
        if (await ReadAsync(cancellationToken) is { } written && written.CatalogueId != catalogueId)
            throw IsAnothers(written);
        return owner;
    }

    [LoggerMessage(
        LogLevel.Warning,
        "{Location} lies within {Enclosing}, another server's store, whose 'catalogue check' and 'catalogue rebuild' "
            + "name objects of this one; move one of them beside the other"
    )]
    private partial void LogNested(string location, string enclosing);
}
