using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Parts;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// Receives one part for ZFS: it is complete in memory and verified before a byte of it is passed on, in the order of
/// part numbers.
/// </summary>
internal sealed class ZfsPartReceiver(
    BackupStore store,
    PartBuffers buffers,
    PartSlots slots,
    PartCatalogue parts,
    StreamAdmission admission,
    PartSequencer turns,
    ZfsStreams streams,
    ClientQuota quota
)
{
    /// <summary>Parts that there is memory for at once.</summary>
    public int ParallelParts => buffers.Limit;

    /// <exception cref="RequestException">The part is refused; nothing of it was passed to ZFS.</exception>
    public async Task<PartRecord> ReceiveAsync(
        UploadRecord upload,
        ClientEntry client,
        PartRequest request,
        UploadSessions.Session session,
        Func<PartSlot, Stream> openBody
    )
    {
        if (FindWritten(upload, request) is { } there)
            return there;
        await turns.EnterAsync(upload.UploadId, request.Number, session.Token);
        using var slot = await slots.AcquireAsync(client.ClientId, session.Token);
        await quota.EnsureLocalAsync(
            client,
            request.Size,
            () => quota.FindRest(upload, request.StoredOffset, request.Start.StreamOffset),
            session.Token
        );
        using var share = buffers.Open();
        var buffer = await share.RentAsync(request.Size, session.Token);
        try
        {
            var content = buffer.AsMemory(0, request.Size);
            await using var body = openBody(slot);
            var begin = request.Start.Snapshot;
            if (begin is not null)
                admission.CheckPart(upload, begin);
            var (end, endChecksum) = await PartReading.RunAsync(
                upload.Compression,
                request,
                body,
                content,
                known =>
                {
                    admission.CheckPart(upload, known);
                    begin = known;
                },
                session.Token
            );
            PartReading.CheckEnd(request, end, store.Objects.PartSize);
            if (begin is null)
                throw RequestException.BadRequest($"Part {request.Number} does not contain all of the stream's BEGIN.");
            await AwaitTurnAsync(upload, request, slot, session.Token);
            var part = request.ToRecord(end, endChecksum, receipt: "");
            await streams.WriteAsync(upload, client, part, begin, content, session.Token);
            return part;
        }
        finally
        {
            share.Return(buffer);
        }
    }

    /// <summary>
    /// A part whose predecessor has not arrived waits for its client, and steps aside as one does that is slow itself.
    /// Once it has, the server waits for ZFS, for which the client is not to blame.
    /// </summary>
    private async Task AwaitTurnAsync(
        UploadRecord upload,
        PartRequest request,
        PartSlot slot,
        CancellationToken cancellationToken
    )
    {
        turns.Arrived(upload.UploadId, request.Number);
        var turn = turns.AwaitTurnAsync(upload.UploadId, request.Number, cancellationToken);
        slot.BeginWait();
        await Task.WhenAny(turn, turns.AwaitArrivalAsync(upload.UploadId, request.Number, cancellationToken));
        slot.EndWait(0);
        await turn;
    }

    /// <summary>A part that was passed on before, and is sent again because the answer was lost.</summary>
    /// <returns>Null if it was not passed on yet.</returns>
    private PartRecord? FindWritten(UploadRecord upload, PartRequest request)
    {
        if (!turns.Has(upload.UploadId))
        {
            // If parts arrived before, their receive has ended since: in this process, or with the one before it.
            if (parts.FindEndOfRun(upload.UploadId) is not null)
                throw ZfsFaults.Interrupted();
            return null;
        }

        if (request.Number > turns.WrittenOf(upload.UploadId))
            return null;
        if (parts.Find(upload.UploadId, request.Number) is { } part && part.Sha256 == request.Sha256)
            return part;
        throw RequestException.Conflict(
            "part_misplaced",
            $"Part {request.Number} was already received with other bytes.",
            "Ask with POST /upload where to resume the upload."
        );
    }
}
