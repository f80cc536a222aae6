using ZfsSnapshotManager.Core.Transfer;
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
/// Takes one part for ZFS in: whole in memory and checked before a byte of it is handed on, in the order of their
/// numbers.
/// </summary>
internal sealed class LocalPartReceiver(
    BackupStore store,
    PartBuffers buffers,
    PartSlots places,
    PartCatalogue parts,
    StreamAdmission admission,
    PartSequencer turns,
    LocalUploads local,
    ClientQuota quota
)
{
    /// <exception cref="RequestException">The part is refused; nothing of it was handed on.</exception>
    public async Task<PartRecord> ReceiveAsync(
        UploadRecord upload,
        ClientEntry client,
        PartRequest request,
        UploadSessions.Session session,
        Func<Stream> openBody
    )
    {
        if (FindWritten(upload, request) is { } there)
            return there;
        await turns.EnterAsync(upload.UploadId, request.Number, session.Token);
        using var place = await places.TakeAsync(client.ClientId, session.Token);
        await quota.EnsureLocalAsync(client, request.Size, session.Token);
        using var share = buffers.Open();
        var buffer = await share.TakeAsync(request.Size, session.Token);
        try
        {
            var content = buffer.AsMemory(0, request.Size);
            await using var body = openBody();
            var begin = request.Start.Snapshot;
            if (begin is not null)
                CheckBegin(upload, begin);
            var (end, endChecksum) = await PartReading.RunAsync(
                upload.Compression,
                request,
                body,
                content,
                known => CheckBegin(upload, begin = known),
                session.Token
            );
            PartReading.CheckEnd(request, end, store.Objects.PartSize);
            if (begin is null)
                throw RequestException.BadRequest($"Part {request.Number} does not hold all of the stream's BEGIN.");
            await turns.AwaitTurnAsync(upload.UploadId, request.Number, session.Token);
            var part = Describe(request, end, endChecksum);
            await local.WriteAsync(upload, client, part, begin, content, session.Token);
            return part;
        }
        finally
        {
            share.Return(buffer);
        }
    }

    /// <summary>A part that was handed on, and is sent again because the answer was lost.</summary>
    /// <returns>Null where it was not handed on yet.</returns>
    private PartRecord? FindWritten(UploadRecord upload, PartRequest request)
    {
        if (!turns.Has(upload.UploadId))
        {
            // Parts came before, and the receive has ended since: in this process, or with the one before it.
            return parts.FindEndOfRun(upload.UploadId) is null ? null : throw LocalFaults.Interrupted();
        }

        if (request.Number > turns.WrittenOf(upload.UploadId))
            return null;
        return parts.Find(upload.UploadId, request.Number) is { } part && part.Sha256 == request.Sha256
            ? part
            : throw RequestException.Conflict(
                "part_misplaced",
                $"Part {request.Number} was received, with other bytes.",
                "Ask with POST /upload where the upload goes on."
            );
    }

    private void CheckBegin(UploadRecord upload, SnapshotStreamInfo begin)
    {
        admission.Check(upload, begin);
        if (parts.GetOrSetBegin(upload.UploadId, StreamState.WriteBegin(begin)) != StreamState.WriteBegin(begin))
            throw RequestException.Conflict(
                "parts_incomplete",
                "The part is of another stream than the parts that came before.",
                "Drop the upload and send the snapshot again."
            );
    }

    private static PartRecord Describe(PartRequest request, ParserState end, Fletcher4? endChecksum) =>
        new()
        {
            Number = request.Number,
            StoredOffset = request.StoredOffset,
            Size = request.Size,
            Sha256 = request.Sha256,
            Receipt = "",
            StartState = StreamState.WriteWithoutBegin(request.Start),
            EndState = StreamState.WriteWithoutBegin(end),
            EndChecksum = endChecksum?.ToString(),
        };
}
