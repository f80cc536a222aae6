using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Parts;

namespace ZfsSnapshotManager.Server.Uploads.Objects;

/// <summary>
/// Makes a backup from an upload's parts. Whatever fails here can be repeated: the parts stay until the backup is
/// listed.
/// </summary>
internal sealed class ObjectCompletion(
    BackupStore store,
    PartCatalogue parts,
    BackupCommit commit,
    StreamAdmission admission
)
{
    /// <summary>
    /// Reads the rows of the parts three times, a piece at a time, instead of keeping them: to check them, to complete
    /// their objects, and for the manifest. Nothing else works on the upload meanwhile.
    /// </summary>
    /// <inheritdoc cref="IUploadBackend.CompleteAsync"/>
    public async Task<SnapshotInfo> RunAsync(UploadRecord upload, CompleteRequest request)
    {
        var joined = PartsJoin.Check(parts.Walk(upload.UploadId), request);
        var begin = parts.RequireBegin(upload.UploadId);
        admission.Check(upload, begin);
        var objects = ObjectsOf(upload);
        // The offsets at which the parts were written, added up once more: what is committed has no gap.
        Invariant.Require(
            objects.Sum(stored => stored.Size) == joined.StoredBytes,
            $"the parts of upload {upload.UploadId} add up to the end of the last one"
        );
        var manifest = commit.Describe(upload, begin, joined.Whole, objects, joined.PartsSha256, sha256: null);
        await commit.CheckStoreAsync(upload, manifest, CancellationToken.None);
        return await commit.RunAsync(
            upload,
            () => FinishObjectsAsync(upload, objects.Count),
            manifest,
            new PartsOfUpload(parts, upload.UploadId, joined.Count)
        );
    }

    private List<StoredObject> ObjectsOf(UploadRecord upload) =>
        [
            .. parts
                .ObjectSizes(upload.UploadId, store.Objects.MaxParts)
                .Select(
                    (size, index) =>
                        new StoredObject { Key = StoredObject.KeyOf(upload.StorageKey, index), Size = size }
                ),
        ];

    private async Task FinishObjectsAsync(UploadRecord upload, int objects)
    {
        for (var index = 0; index < objects; index++)
        {
            var token = parts.FindObject(upload.UploadId, index)
                ?? throw new InvalidOperationException($"Object {index} of {upload.UploadId} was never created.");
            await using var writer = store.Objects.Reopen(
                StoredObject.KeyOf(upload.StorageKey, index),
                upload.UploadId,
                token
            );
            var most = store.Objects.MaxParts;
            await writer.CompleteAsync(
                parts
                    .Walk(upload.UploadId, after: index * most)
                    .Take(most)
                    .Select(part => new WrittenPart(part.Size, part.Receipt)),
                CancellationToken.None
            );
        }
    }
}
