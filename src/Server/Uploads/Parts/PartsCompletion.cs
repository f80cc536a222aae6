using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Makes a backup of an upload's parts. Whatever fails here can be repeated: the parts stay until the backup is listed.
/// </summary>
internal sealed class PartsCompletion(
    BackupStore store,
    PartCatalogue parts,
    BackupCommit commit,
    StreamAdmission admission
)
{
    /// <exception cref="RequestException">The parts are not one whole stream, or it may no longer be
    /// stored.</exception>
    public Task<SnapshotInfo> CompleteAsync(UploadRecord upload, CompleteRequest request)
    {
        var list = parts.List(upload.UploadId);
        var end = PartsJoin.Check(list, request);
        var begin = ReadBegin(upload, list[^1]);
        admission.Check(upload, begin);
        var objects = list.Chunk(store.Objects.MaxParts)
            .Select(
                (chunk, index) =>
                    StoredObject.Of(StoredObject.KeyOf(upload.StorageKey, index), [.. chunk.Select(PartsJoin.Describe)])
            )
            .ToList();
        var manifest = commit.Describe(
            upload,
            begin,
            (end.StreamOffset, end.RecordCount, list[^1].EndChecksum!),
            objects,
            sha256: null
        );
        return commit.RunAsync(upload, () => CompleteObjectsAsync(upload, list), manifest);
    }

    private SnapshotStreamInfo ReadBegin(UploadRecord upload, PartRecord last) =>
        StreamState.TryRead($"{last.EndState};{parts.FindBegin(upload.UploadId)}", out var state)
        && state.Snapshot is { } begin
            ? begin
            : throw new InvalidOperationException(
                $"The catalogue does not say what the stream of upload {upload.UploadId} is."
            );

    private async Task CompleteObjectsAsync(UploadRecord upload, IReadOnlyList<PartRecord> list)
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
