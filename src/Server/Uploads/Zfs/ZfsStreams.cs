using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Uploads.Parts;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// Receives streams into ZFS: in one body or as the parts of an upload. ZFS gets only verified bytes.
/// </summary>
internal sealed class ZfsStreams(
    ReceiveStart start,
    ZfsReceives receives,
    PartSequencer turns,
    ZfsCommit commit,
    BackupCommit describing,
    StreamAdmission admission,
    PartCatalogue parts,
    UploadCatalogue uploads
)
{
    /// <summary>Receives a whole stream in one body.</summary>
    /// <exception cref="RequestException">The stream is refused; nothing of it was kept.</exception>
    public async Task<SnapshotInfo> ReceiveAsync(
        UploadRecord upload,
        ClientEntry client,
        Stream body,
        CancellationToken cancellationToken
    )
    {
        await EndAsync(upload.UploadId);
        parts.Clear(upload);
        ZfsReceive? receive = null;
        using var pending = new MemoryStream(); // the payload of BEGIN may span many slices
        using var stored = new StoredBytesReader(body);
        SnapshotStreamInfo? known = null;
        var decoded = false;
        try
        {
            var facts = await StoredStreamDecoder.DecodeAsync(
                stored,
                upload.Compression,
                Limits.Bodies,
                begin =>
                {
                    admission.Check(upload, begin);
                    known = begin;
                    parts.TrySetBegin(upload, begin);
                },
                ForwardAsync,
                cancellationToken
            );
            decoded = true;
            cancellationToken.ThrowIfCancellationRequested();
            var digest = StoredPart.DigestOf([new StoredPart { Size = 0, Sha256 = stored.GetSha256() }]);
            return await FinishAsync(
                upload,
                receive!,
                facts.Begin,
                (facts.Length, facts.RecordCount, facts.EndChecksum.ToString()),
                digest
            );
        }
        catch (Exception e)
            when (!decoded && e is SendStreamException or OperationException { ExitCode: ExitCode.Damaged })
        {
            await DiscardAsync(upload);
            throw RequestException.Damaged(
                e is SendStreamException ? "stream_damaged" : "compression_damaged",
                e.Message,
                e
            );
        }
        catch (RequestException e) when (ZfsFaults.ProvesUseless(e))
        {
            await DiscardAsync(upload);
            throw;
        }
        finally
        {
            await EndAsync(upload.UploadId); // if it was interrupted, ZFS keeps what it has
        }

        async ValueTask ForwardAsync(ReadOnlyMemory<byte> slice, CancellationToken token)
        {
            if (known is null)
            {
                pending.Write(slice.Span);
                return;
            }

            if (receive is null)
            {
                receive = await start.RunAsync(upload, client, known, token);
                await receive.WriteAsync(pending.GetBuffer().AsMemory(0, (int)pending.Length), token);
                pending.SetLength(0);
            }

            await receive.WriteAsync(slice, token);
        }
    }

    /// <summary>Passes a verified part to ZFS, after the part before it.</summary>
    /// <param name="content">Its stored bytes.</param>
    /// <exception cref="RequestException">ZFS refuses it, or its receive has ended.</exception>
    public async Task WriteAsync(
        UploadRecord upload,
        ClientEntry client,
        PartRecord part,
        SnapshotStreamInfo begin,
        ReadOnlyMemory<byte> content,
        CancellationToken cancellationToken
    )
    {
        var before = part.Number == 1 ? null : parts.Find(upload.UploadId, part.Number - 1);
        if ((part.Number > 1 && before is null) || !PartCatalogue.Follows(before, part))
            throw RequestException.Conflict(
                "parts_incomplete",
                $"Part {part.Number} does not continue where the part before it ends.",
                "Ask with POST /upload where to resume the upload."
            );
        try
        {
            ZfsReceive receive;
            if (part.Number == 1)
                receive = await start.RunAsync(upload, client, begin, cancellationToken);
            else
                receive = receives.Find(upload.UploadId) ?? throw ZfsFaults.Interrupted();
            await CopyAsync(upload, content, receive);
        }
        catch (RequestException e)
        {
            if (ZfsFaults.ProvesUseless(e))
                await DiscardAsync(upload);
            else
                await EndAsync(upload.UploadId);
            throw;
        }

        if (!parts.Put(upload, part))
            throw StreamAdmission.Dropped();
        turns.Wrote(upload.UploadId, part.Number);
    }

    /// <summary>Makes a backup from parts that ZFS has received, except for the END record.</summary>
    /// <exception cref="RequestException">The parts are not one complete stream, or ZFS refuses it.</exception>
    public async Task<SnapshotInfo> CompleteAsync(UploadRecord upload, CompleteRequest request)
    {
        if (receives.Find(upload.UploadId) is not { } receive)
            throw ZfsFaults.Interrupted();
        var joined = PartsJoin.Check(parts.Walk(upload.UploadId), request);
        var begin = parts.RequireBegin(upload.UploadId);
        try
        {
            admission.Check(upload, begin);
            return await FinishAsync(upload, receive, begin, joined.Whole, joined.PartsSha256);
        }
        catch (RequestException e) when (ZfsFaults.ProvesUseless(e))
        {
            await DiscardAsync(upload);
            throw;
        }
        finally
        {
            await EndAsync(upload.UploadId);
        }
    }

    /// <summary>
    /// Ends the receive of an upload that its client resumes, and says where. The client starts with part 1 again.
    /// </summary>
    /// <returns>Null if ZFS kept nothing of it.</returns>
    public async Task<UploadResume?> PrepareAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        await EndAsync(upload.UploadId);
        var resume = await FindResumeAsync(upload, cancellationToken);
        parts.Clear(upload);
        return resume;
    }

    /// <summary>How far an upload came; for one that is being received, what ZFS was given.</summary>
    public async Task<UploadResume?> FindResumeAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        if (upload.ZfsSnapshot is not { } target)
            return null;
        var begin = parts.FindBegin(upload.UploadId);
        if (begin is not null && receives.Find(upload.UploadId) is { } receive)
            return Describe(MakeToken(begin, receive));
        var text = await receives.FindTokenAsync(target.Dataset, cancellationToken);
        if (!ResumeToken.TryParse(text, out var token) || token.SnapshotGuid != GuidOf(upload, begin))
            return null;
        return Describe(token);
    }

    /// <summary>Ends an upload's receive; ZFS keeps what it has.</summary>
    public async Task EndAsync(string uploadId)
    {
        await receives.EndAsync(uploadId);
        turns.Forget(uploadId);
    }

    /// <summary>Ends an upload's receive and removes what ZFS has of it.</summary>
    public async Task DiscardAsync(UploadRecord stale)
    {
        await EndAsync(stale.UploadId);
        // With the target that was chosen meanwhile.
        var upload = stale with { ZfsSnapshot = uploads.FindAny(stale.UploadId)?.ZfsSnapshot };
        if (upload.ZfsSnapshot is { } target)
        {
            // First: if ZFS does not answer, the catalogue still knows what is there.
            if (!receives.IsReceiving(target.Dataset))
                await AbortAsync(upload, target.Dataset);
            uploads.SetTarget(upload, null); // releases its name
        }

        parts.Clear(upload);
    }

    private async Task AbortAsync(UploadRecord upload, DatasetName dataset)
    {
        // What another upload targets is its own by now, also if it is the same snapshot that was announced again.
        var others = uploads.ListForZfs().Where(other => other.UploadId != upload.UploadId);
        if (others.Any(other => other.ZfsSnapshot!.Dataset == dataset))
            return;
        var text = await receives.FindTokenAsync(dataset, CancellationToken.None);
        if (
            ResumeToken.TryParse(text, out var token)
            && token.SnapshotGuid == GuidOf(upload, parts.FindBegin(upload.UploadId))
        )
            await receives.AbortAsync(dataset, CancellationToken.None);
    }

    /// <summary>
    /// The GUID of the snapshot that is received. After its client has asked where to resume, only the announcement has
    /// it.
    /// </summary>
    private static ulong? GuidOf(UploadRecord upload, SnapshotStreamInfo? begin) =>
        begin?.SnapshotGuid ?? upload.SnapshotGuid?.Value;

    private async Task<SnapshotInfo> FinishAsync(
        UploadRecord upload,
        ZfsReceive receive,
        SnapshotStreamInfo begin,
        (long Length, long RecordCount, string EndChecksum) whole,
        string digest
    )
    {
        admission.RequireClient(upload.ClientId);
        // A resumed stream has a BEGIN of its own, which ZFS does not count.
        var length = whole.Length + receive.AlreadyBytes;
        var manifest = describing.Describe(upload, begin, whole with { Length = length }, [], digest, sha256: null) with
        {
            FormatVersion = 1, // it has no parts, and is what earlier programs read
            Compression = "none",
            LockedUntil = null,
        };
        var note = new SnapshotNote { SnapshotId = upload.SnapshotId, Manifest = manifest };
        if (!uploads.SetNote(upload, note.ToJson()))
            throw StreamAdmission.Dropped();
        await receive.FinishAsync();
        return await commit.RunAsync(upload, receive.Target, note);
    }

    private static async Task CopyAsync(UploadRecord upload, ReadOnlyMemory<byte> content, ZfsReceive receive)
    {
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(content, out var segment);
        using var memory = new MemoryStream(segment.Array!, segment.Offset, segment.Count, writable: false);
        using var stored = new StoredBytesReader(memory, digest: false);
        using var stream = new DecompressedStream(stored, upload.Compression);
        // Not cancelled: half a part in ZFS could not be sent again.
        while (true)
        {
            var slice = await stream.ReadSliceAsync(StreamSlice.Size, CancellationToken.None);
            if (slice.IsEmpty)
                return;
            await receive.WriteAsync(slice, CancellationToken.None);
        }
    }

    private static ResumeToken MakeToken(SnapshotStreamInfo begin, ZfsReceive receive) =>
        new()
        {
            BaseGuid = begin.IsIncremental ? begin.BaseGuid : null,
            Object = 0,
            Offset = 0,
            Bytes = (ulong)(receive.AlreadyBytes + receive.Written),
            SnapshotGuid = begin.SnapshotGuid,
            FullSnapshotName = begin.FullSnapshotName,
        };

    private static UploadResume Describe(ResumeToken token) =>
        new()
        {
            NextPart = 1,
            StoredBytes = 0,
            StreamBytes = (long)token.Bytes,
            State = "",
            ReceiveResumeToken = token.ToString(),
        };
}
