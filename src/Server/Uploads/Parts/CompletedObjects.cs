using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Objects that a commit had completed before it failed: they take no more parts. Those of which they consist are
/// stored, whether their clients know that or not.
/// </summary>
internal sealed class CompletedObjects(BackupStore store, PartCatalogue parts)
{
    /// <summary>Looks for the object that a part belongs to, and in it for the part.</summary>
    /// <returns>The part as it was stored; null if this upload has not completed the object.</returns>
    /// <exception cref="RequestException">409: the object is complete without this part.</exception>
    public async Task<PartRecord?> FindAsync(
        UploadRecord upload,
        PartRequest request,
        CancellationToken cancellationToken
    )
    {
        var index = (request.Number - 1) / store.Objects.MaxParts;
        var key = StoredObject.KeyOf(upload.StorageKey, index);
        // A store that does not keep who wrote an object has it from this upload: the key is reserved for it.
        if (
            await store.Objects.FindAsync(key, cancellationToken) is not { } found
            || (found.UploadId is { } writer && writer != upload.UploadId)
        )
            return null;
        if (parts.Find(upload.UploadId, request.Number) is { } part && request.Matches(part))
            return part;
        throw RequestException.Conflict(
            "part_misplaced",
            $"All of the stream is stored already, and part {request.Number} is not as it was sent before.",
            "Ask with POST /upload where to resume the upload."
        );
    }
}
