using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Receives one part: its digest, its blocks and its records are verified from the state that its client claims for the
/// stream before it, and only then it is stored. Whether that state is true is checked when the parts are joined
/// (<see cref="PartsJoin"/>), so parts may arrive in any order.
/// </summary>
internal sealed class PartReceiver(
    BackupStore store,
    PartBuffers buffers,
    PartSlots slots,
    PartCatalogue parts,
    CompletedObjects completed,
    StreamAdmission admission,
    ClientQuota quota
)
{
    private readonly KeyedLock _opening = new();

    /// <summary>Stored bytes that a part may have, also one for ZFS.</summary>
    public int MaxPartSize => store.MaxPartSize;

    /// <summary>Parts that there is memory for at once.</summary>
    public int ParallelParts => buffers.Limit;

    /// <param name="openBody">Opens the body, once the part has a slot.</param>
    /// <exception cref="RequestException">The part is refused; nothing of it was kept.</exception>
    public async Task<PartRecord> ReceiveAsync(
        UploadRecord upload,
        ClientEntry client,
        PartRequest request,
        UploadSessions.Session session,
        Func<PartSlot, Stream> openBody
    )
    {
        using var slot = await slots.AcquireAsync(client.ClientId, session.Token);
        using var reservation = quota.Open(client, () =>
            quota.FindRest(upload, request.StoredOffset, request.Start.StreamOffset)
        );
        var growth = request.Size - (parts.Find(upload.UploadId, request.Number)?.Size ?? 0);
        if (growth > 0)
            await reservation.GrowAsync(growth);
        await using var body = openBody(slot);
        if (request.Start.Snapshot is { } begin)
            admission.CheckPart(upload, begin);
        using var share = buffers.Open();
        var buffer = await share.RentAsync(request.Size, session.Token);
        try
        {
            var content = buffer.AsMemory(0, request.Size);
            var (end, endChecksum) = await PartReading.RunAsync(
                upload.Compression,
                request,
                body,
                content,
                begin => admission.CheckPart(upload, begin),
                session.Token
            );
            PartReading.CheckEnd(request, end, store.Objects.PartSize);
            if (endChecksum is not null && parts.HasOtherEnd(upload.UploadId, request.Number))
                throw Misplaced($"Part {request.Number} holds the stream's END, and so does another part.");
            if (await StoreAsync(upload, request, session, content) is not { } written)
                return parts.Find(upload.UploadId, request.Number) ?? throw StreamAdmission.Dropped();
            var part = request.ToRecord(end, endChecksum, written.Receipt);
            if (!reservation.Finish(() => parts.Put(upload, part)))
                throw StreamAdmission.Dropped();
            return part;
        }
        finally
        {
            share.Return(buffer);
        }
    }

    /// <returns>Null: it was stored before, in an object that is complete.</returns>
    private async Task<WrittenPart?> StoreAsync(
        UploadRecord upload,
        PartRequest request,
        UploadSessions.Session session,
        ReadOnlyMemory<byte> content
    )
    {
        Invariant.Require(content.Length == request.Size, $"part {request.Number} is stored with the size announced");
        // Claimed first: a part that is stored meanwhile is then found by its claim or by its row.
        if (
            !session.TryClaim(request.StoredOffset, request.StoredOffset + request.Size)
            || !FitsBetweenOthers(upload, request)
        )
        {
            throw Misplaced(
                $"Part {request.Number} does not lie between the parts before and after it, from byte "
                    + $"{request.StoredOffset} on."
            );
        }

        var (index, number) = Math.DivRem(request.Number - 1, store.Objects.MaxParts);
        try
        {
            await using var writer = await OpenAsync(upload, index, session.Token);
            return await writer.WritePartAsync(number, request.StoredOffset, content, request.Sha256, session.Token);
        }
        catch (StorageException e) when (e.Fault is StorageFault.Missing or StorageFault.Exists)
        {
            // Its rows are what tells a complete object of parts from that of a body, which recovery removes.
            if (await completed.FindAsync(upload, request, session.Token) is not null)
                return null;
            if (e.Fault == StorageFault.Exists)
                throw;
            parts.Clear(upload);
            throw RequestException.Conflict(
                "upload_lost",
                $"What was stored of this upload is gone: {e.Message}",
                "Send the snapshot again from its start."
            );
        }
    }

    private static RequestException Misplaced(string message) =>
        RequestException.Conflict("part_misplaced", message, "Ask with POST /upload where to resume the upload.");

    private bool FitsBetweenOthers(UploadRecord upload, PartRequest request) =>
        parts.FitsBetween(upload.UploadId, request.Number, request.StoredOffset, request.StoredOffset + request.Size);

    /// <summary>The object that the part belongs to, created by whichever of its parts arrives first.</summary>
    private async Task<IObjectWriter> OpenAsync(UploadRecord upload, int index, CancellationToken cancellationToken)
    {
        var key = StoredObject.KeyOf(upload.StorageKey, index);
        using var turn = await _opening.EnterAsync(key, cancellationToken);
        if (parts.FindObject(upload.UploadId, index) is { } token)
            return store.Objects.Reopen(key, upload.UploadId, token);
        var begun = await store.Objects.CreateAsync(key, upload.UploadId, resumable: true, cancellationToken);
        if (parts.AddObject(upload, index, begun.Token) == begun.Token)
            return begun;
        // The upload was dropped or taken over. No record knows the object: the clean-up removes it.
        await begun.DisposeAsync();
        throw StreamAdmission.Dropped();
    }
}
