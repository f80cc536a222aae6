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
    /// <inheritdoc cref="IUploadBackend.CompleteAsync"/>
    public async Task<SnapshotInfo> RunAsync(UploadRecord upload, CompleteRequest request)
    {
        var list = parts.List(upload.UploadId);
        var end = PartsJoin.Check(list, request);
        var begin = parts.RequireBegin(upload.UploadId);
        admission.Check(upload, begin);
        var objects = list.Chunk(store.Objects.MaxParts)
            .Select(
                (chunk, index) =>
                    StoredObject.Of(StoredObject.KeyOf(upload.StorageKey, index), [.. chunk.Select(PartsJoin.Describe)])
            )
            .ToList();
        // The offsets at which the parts were written, added up once more: what is committed has no gap.
        Invariant.Require(
            objects.Sum(stored => stored.Size) == list[^1].StoredEnd,
            $"the parts of upload {upload.UploadId} add up to the end of the last one"
        );
        var manifest = commit.Describe(
            upload,
            begin,
            (end.StreamOffset, end.RecordCount, list[^1].EndChecksum!),
            objects,
            sha256: null
        );
        await commit.CheckStoreAsync(upload, manifest, CancellationToken.None);
        return await commit.RunAsync(upload, () => FinishObjectsAsync(upload, list), manifest);
    }

    private async Task FinishObjectsAsync(UploadRecord upload, IReadOnlyList<PartRecord> list)
    {
        var tokens = parts.Objects(upload.UploadId);
        foreach (var (index, chunk) in list.Chunk(store.Objects.MaxParts).Index())
        {
            await using var writer = store.Objects.Reopen(
                StoredObject.KeyOf(upload.StorageKey, index),
                upload.UploadId,
                tokens[index]
            );
            await writer.CompleteAsync(
                [.. chunk.Select(part => new WrittenPart(part.Size, part.Receipt))],
                CancellationToken.None
            );
        }
    }
}
