using System.Security.Cryptography;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Takes one part in: its digest, its blocks and its records are checked, from the state that its client says the
/// stream is in before it, and only then it is stored. Whether that state is true shows when the parts are joined
/// (<see cref="PartsJoin"/>); so parts may come in any order.
/// </summary>
internal sealed class PartReceiver(
    BackupStore store,
    PartBuffers buffers,
    PartCatalogue parts,
    StreamAdmission admission
) : IDisposable
{
    private readonly SemaphoreSlim _beginning = new(1);

    /// <param name="reservation">What it may take of its client's quota.</param>
    /// <exception cref="RequestException">The part is refused; nothing of it was kept.</exception>
    public async Task<PartRecord> ReceiveAsync(
        UploadRecord upload,
        PartRequest request,
        UploadSessions.Session session,
        Stream body,
        ClientQuota.Reservation reservation
    )
    {
        if (request.Start.Snapshot is { } begin)
            CheckBegin(upload, begin);
        using var share = buffers.Open();
        var buffer = await share.TakeAsync(request.Size, session.Token);
        try
        {
            var content = buffer.AsMemory(0, request.Size);
            var (end, endChecksum) = await PartReading.RunAsync(
                upload.Compression,
                request,
                body,
                content,
                begin => CheckBegin(upload, begin),
                session.Token
            );
            PartReading.CheckEnd(request, end, store.Objects.PartSize);
            var endState = StreamState.WriteWithoutBegin(end);
            var written = await StoreAsync(upload, request, session, content);
            var part = new PartRecord
            {
                Number = request.Number,
                StoredOffset = request.StoredOffset,
                Size = request.Size,
                Sha256 = request.Sha256,
                Receipt = written.Receipt,
                StartState = StreamState.WriteWithoutBegin(request.Start),
                EndState = endState,
                EndChecksum = endChecksum?.ToString(),
            };
            return reservation.Settle(() => parts.Put(upload.UploadId, part))
                ? part
                : throw RequestException.NotFound("The upload was dropped meanwhile.");
        }
        finally
        {
            share.Return(buffer);
        }
    }

    public void Dispose() => _beginning.Dispose();

    /// <summary>All parts must be of one stream, and of the one that was announced.</summary>
    private void CheckBegin(UploadRecord upload, SnapshotStreamInfo begin)
    {
        admission.Check(upload, begin);
        if (parts.GetOrSetBegin(upload.UploadId, StreamState.WriteBegin(begin)) != StreamState.WriteBegin(begin))
        {
            throw RequestException.Conflict(
                "parts_incomplete",
                "The part is of another stream than the parts that came before.",
                "Drop the upload and send the snapshot again."
            );
        }
    }

    private async Task<WrittenPart> StoreAsync(
        UploadRecord upload,
        PartRequest request,
        UploadSessions.Session session,
        ReadOnlyMemory<byte> content
    )
    {
        if (!HasPlace(upload, request) || !session.TryClaim(request.StoredOffset, request.StoredOffset + request.Size))
        {
            throw RequestException.Conflict(
                "part_misplaced",
                $"Part {request.Number} does not lie between the parts before and after it, from byte "
                    + $"{request.StoredOffset} on.",
                "Ask with POST /upload where the upload goes on."
            );
        }

        var (index, number) = Math.DivRem(request.Number - 1, store.Objects.MaxParts);
        try
        {
            await using var writer = await OpenAsync(upload, index, session.Token);
            return await writer.WritePartAsync(number, request.StoredOffset, content, request.Sha256, session.Token);
        }
        catch (StorageException e) when (e.Fault == StorageFault.Missing)
        {
            parts.Clear(upload.UploadId);
            throw RequestException.Conflict(
                "upload_lost",
                $"What was stored of this upload is gone: {e.Message}",
                "Send the snapshot again from its start."
            );
        }
    }

    private bool HasPlace(UploadRecord upload, PartRequest request) =>
        parts.FitsBetween(upload.UploadId, request.Number, request.StoredOffset, request.StoredOffset + request.Size);

    /// <summary>The object that the part belongs to, begun by whichever of its parts comes first.</summary>
    private async Task<IObjectWriter> OpenAsync(UploadRecord upload, int index, CancellationToken cancellationToken)
    {
        var key = Core.Manifests.StoredObject.KeyOf(upload.StorageKey, index);
        await _beginning.WaitAsync(cancellationToken);
        try
        {
            if (parts.Objects(upload.UploadId).TryGetValue(index, out var token))
                return store.Objects.Reopen(key, upload.UploadId, token);
            var begun = await store.Objects.CreateAsync(key, upload.UploadId, resumable: true, cancellationToken);
            parts.AddObject(upload.UploadId, index, begun.Token);
            return begun;
        }
        finally
        {
            _beginning.Release();
        }
    }
}
