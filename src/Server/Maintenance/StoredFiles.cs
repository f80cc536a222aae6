using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>The files of one backup in a listing of the store, and their assessment.</summary>
internal sealed class StoredFiles(string key)
{
    public string Key { get; } = key;

    /// <summary>In bytes; null if the manifest does not exist.</summary>
    public long? ManifestSize { get; private set; }

    /// <summary>Nearly always one.</summary>
    public List<ListedObject> Objects { get; } = new(1);

    public void Add(ListedObject found)
    {
        if (StorageKey.IsManifest(found.Key))
            ManifestSize = found.Size;
        else
            Objects.Add(found);
    }

    /// <summary>Objects without a manifest.</summary>
    public SurveyedBackup WithoutManifest() =>
        new()
        {
            HasManifest = false,
            Backup = null,
            Findings = [Orphan(Objects)],
        };

    public SurveyedBackup WithUnreadable(string fault) =>
        Broken(
            FindingKind.ManifestUnreadable,
            $"{fault.TrimEnd('.')}. Restore the manifest from a copy of the store and run 'zfs-server catalogue "
                + "rebuild'; the stream beside it may be complete."
        );

    /// <summary>Compares the manifest with its key and with the existing objects.</summary>
    public SurveyedBackup With(Manifest manifest)
    {
        if (FindMisplacement(manifest) is { } misplaced)
            return Broken(
                FindingKind.ManifestMisplaced,
                $"The manifest does not belong to its key: {misplaced}. Move it and its objects back, or remove "
                    + "them if they are copies."
            );
        if (FindImpossible(manifest) is { } impossible)
            return WithUnreadable($"The manifest has an impossible value: {impossible}");
        var backup = new ListedBackup(manifest.ClientId, manifest.ToSnapshotInfo(StorageKey.SnapshotIdOf(Key)!));
        List<CatalogueFinding> findings = [.. manifest.Objects.Select(FindLoss).OfType<CatalogueFinding>()];
        var whole = findings.Count == 0;
        if (
            Objects.Where(found => manifest.Objects.All(stored => stored.Key != found.Key)).ToList() is
            { Count: > 0 } surplus
        )
            findings.Add(Orphan(surplus));
        return new SurveyedBackup
        {
            HasManifest = true,
            Backup = whole ? backup : null,
            Findings = findings,
        };
    }

    private string? FindMisplacement(Manifest manifest)
    {
        if (manifest.Objects[0].Key != Key)
            return $"it is of {manifest.Objects[0].Key}";
        if (!ClientIdRule.IsValid(manifest.ClientId))
            return $"'{manifest.ClientId}' is not a valid client id";
        return StorageKey.ClientIdOf(Key) == manifest.ClientId ? null : $"it is of client '{manifest.ClientId}'";
    }

    private string? FindImpossible(Manifest manifest)
    {
        if (!CompressionFormats.TryParse(manifest.Compression, out var format) || StorageKey.FormatOf(Key) != format)
            return $"compression is '{manifest.Compression}'";
        if (!DatasetName.TryParse(manifest.DatasetName, out _, out var fault))
            return $"dataset_name: {fault}";
        if (manifest.DatasetType is not ("filesystem" or "volume"))
            return $"dataset_type is '{manifest.DatasetType}'";
        return manifest.StreamBytes > 0 ? null : $"stream_bytes is {manifest.StreamBytes}";
    }

    private CatalogueFinding? FindLoss(StoredObject stored)
    {
        var index = Objects.FindIndex(found => found.Key == stored.Key);
        if (index < 0)
            return CatalogueFinding.Of(
                FindingKind.ObjectMissing,
                Key,
                $"The object {stored.Key} is missing. Restore it from a copy of the store. Without it the backup, and "
                    + "backups that depend on it, cannot be restored: send a full backup."
            );
        var size = Objects[index].Size;
        return size == stored.Size
            ? null
            : CatalogueFinding.Of(
                FindingKind.ObjectSize,
                Key,
                $"The object {stored.Key} has {size} bytes, not {stored.Size}. Restore it from a copy of the store. "
                    + "As it is, the backup, and backups that depend on it, cannot be restored: send a full backup."
            );
    }

    private SurveyedBackup Broken(string kind, string message) =>
        new()
        {
            HasManifest = true,
            Backup = null,
            Findings = [CatalogueFinding.Of(kind, Key, message)],
        };

    private CatalogueFinding Orphan(List<ListedObject> objects)
    {
        var which =
            objects.Count == 1
                ? $"{objects[0].Key} belongs"
                : $"{objects[0].Key} and {objects.Count - 1} more objects belong";
        return CatalogueFinding.Of(
            FindingKind.OrphanObject,
            Key,
            $"{which} to no manifest. If a manifest was lost, restore it and run 'zfs-server catalogue rebuild'. "
                + "The remains of an interrupted upload can be deleted."
        );
    }
}

/// <summary>One backup in the store.</summary>
internal sealed record SurveyedBackup
{
    public required bool HasManifest { get; init; }

    /// <summary>
    /// Null if the manifest is missing or invalid, or an object is missing or has another size.
    /// </summary>
    public required ListedBackup? Backup { get; init; }

    /// <summary>What is wrong, worded for a backup that is not listed.</summary>
    public required IReadOnlyList<CatalogueFinding> Findings { get; init; }
}
