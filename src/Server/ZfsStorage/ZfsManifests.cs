using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>Reads the manifests of backups in ZFS from their snapshots.</summary>
internal static class ZfsManifests
{
    /// <returns>JSON like that of a stored manifest, but without objects.</returns>
    /// <exception cref="RequestException">The snapshot has no manifest, or ZFS does not answer.</exception>
    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: the property is not a valid
    /// manifest.</exception>
    public static async Task<byte[]> ReadAsync(ZfsHost zfs, SnapshotInfo backup, CancellationToken cancellationToken)
    {
        var json = await ReadNoteAsync(zfs, backup, cancellationToken);
        if (json is "" or "-")
            throw RequestException.NotFound(
                $"The snapshot of {backup.SnapshotId} has no manifest: "
                    + $"its property {ZfsStorageProperties.Note} is not set."
            );
        try
        {
            return JsonSerializer.SerializeToUtf8Bytes(
                SnapshotNote.Parse(json).Manifest,
                ManifestJson.Default.Manifest
            );
        }
        catch (JsonException e)
        {
            throw new StorageException(
                StorageFault.Damaged,
                $"The property {ZfsStorageProperties.Note} of the snapshot of {backup.SnapshotId} is not its manifest: "
                    + $"{JsonFault.Describe(e)}.",
                e
            );
        }
    }

    private static async Task<string> ReadNoteAsync(
        ZfsHost zfs,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return (
                await zfs.RunAsync(
                    ["get", "-H", "-p", "-o", "value", ZfsStorageProperties.Note, backup.StorageKey],
                    cancellationToken
                )
            ).Trim();
        }
        catch (OperationException e)
        {
            throw ZfsFaults.OfReading(e, backup);
        }
    }
}
