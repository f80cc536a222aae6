using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>What a list of the store shows of one backup, and what that is worth.</summary>
internal sealed class StoredFiles(string key)
{
    public string Key { get; } = key;

    /// <summary>In bytes; null where there is no manifest.</summary>
    public long? ManifestSize { get; private set; }

    /// <summary>Nearly always one.</summary>
    public List<ListedObject> Objects { get; } = new(1);

    public void Add(ListedObject found)
    {
        if (BackupKey.IsManifest(found.Key))
            ManifestSize = found.Size;
        else
            Objects.Add(found);
    }

    /// <summary>Objects of no manifest.</summary>
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
            $"{fault.TrimEnd('.')}. Put the manifest back from a copy of the store and run 'zfs-server catalogue "
                + "rebuild'; the stream beside it may be whole."
        );

    /// <summary>Compares the manifest with its place and with the objects that are there.</summary>
    public SurveyedBackup With(Manifest manifest)
    {
        if (FindMisplacement(manifest) is { } misplaced)
            return Broken(
                FindingKind.ManifestMisplaced,
                $"The manifest does not belong where it lies: {misplaced}. Move it and its objects back to where "
                    + "they were, or remove them if they are copies."
            );
        if (FindImpossible(manifest) is { } impossible)
            return WithUnreadable($"The manifest says what cannot be: {impossible}");
        var backup = new ListedBackup(manifest.ClientId, manifest.ToSnapshotInfo(BackupKey.SnapshotIdOf(Key)!));
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

    private string? FindMisplacement(Manifest manifest) =>
        manifest.Objects[0].Key != Key ? $"it is of {manifest.Objects[0].Key}"
        : !ClientIdRule.IsValid(manifest.ClientId) ? $"'{manifest.ClientId}' is not a client's name"
        : BackupKey.ClientIdOf(Key) != manifest.ClientId ? $"it is of client '{manifest.ClientId}'"
        : null;

    private string? FindImpossible(Manifest manifest) =>
        !CompressionFormats.TryParse(manifest.Compression, out var format) || BackupKey.FormatOf(Key) != format
            ? $"compression is '{manifest.Compression}'"
        : !DatasetName.TryParse(manifest.DatasetName, out _, out var fault) ? $"dataset_name: {fault}"
        : manifest.DatasetType is not ("filesystem" or "volume") ? $"dataset_type is '{manifest.DatasetType}'"
        : manifest.StreamBytes <= 0 ? $"stream_bytes is {manifest.StreamBytes}"
        : null;

    private CatalogueFinding? FindLoss(StoredObject stored)
    {
        var place = Objects.FindIndex(found => found.Key == stored.Key);
        if (place < 0)
            return CatalogueFinding.Of(
                FindingKind.ObjectMissing,
                Key,
                $"The object {stored.Key} is missing. Put it back from a copy of the store; without it the backup, "
                    + "and what builds on it, cannot be restored: send a full backup."
            );
        var size = Objects[place].Size;
        return size == stored.Size
            ? null
            : CatalogueFinding.Of(
                FindingKind.ObjectSize,
                Key,
                $"The object {stored.Key} has {size} bytes, not {stored.Size}. Put it back from a copy of the store; "
                    + "as it is, the backup, and what builds on it, cannot be restored: send a full backup."
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
            $"{which} to no manifest. If a manifest was lost, put it back and run 'zfs-server catalogue rebuild'; "
                + "what an upload that was cut off has left can be deleted."
        );
    }
}

/// <summary>One backup in the store.</summary>
internal sealed record SurveyedBackup
{
    public required bool HasManifest { get; init; }

    /// <summary>
    /// Null where the manifest is not there or not right, or an object is missing or has another size.
    /// </summary>
    public required ListedBackup? Backup { get; init; }

    /// <summary>What is wrong, in words for a backup that is not listed.</summary>
    public required IReadOnlyList<CatalogueFinding> Findings { get; init; }
}
