using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>The manifests of backups in ZFS, as their snapshots note them.</summary>
internal static class ZfsManifests
{
    /// <returns>JSON like that of a stored manifest, but without objects.</returns>
    /// <exception cref="RequestException">There is no note, or ZFS does not answer.</exception>
    /// <exception cref="StorageException"><see cref="StorageFault.Damaged"/>: what is noted is not a note.</exception>
    public static async Task<byte[]> ReadAsync(ZfsHost zfs, SnapshotInfo backup, CancellationToken cancellationToken)
    {
        var json = await ReadNoteAsync(zfs, backup, cancellationToken);
        if (json is "" or "-")
            throw RequestException.NotFound(
                $"The snapshot of {backup.SnapshotId} has no manifest noted: "
                    + $"it has no property {ZfsStorageProperties.Note}."
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
