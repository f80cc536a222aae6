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
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Uploads.Parts;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>Takes streams into ZFS: whole, or as the parts of an upload. Nothing reaches ZFS unchecked.</summary>
internal sealed class LocalUploads(
    LocalStart start,
    LocalReceives receives,
    PartSequencer turns,
    LocalCommit commit,
    BackupCommit describing,
    StreamAdmission admission,
    PartCatalogue parts,
    UploadCatalogue uploads
)
{
    /// <summary>Parts of one upload that are taken at once: one is written, the next one received.</summary>
    public const int ParallelParts = 2;

    /// <summary>Takes a whole stream in one request.</summary>
    /// <exception cref="RequestException">The stream is refused; nothing of it was kept.</exception>
    public async Task<SnapshotInfo> ReceiveAsync(
        UploadRecord upload,
        ClientEntry client,
        Stream body,
        CancellationToken cancellationToken
    )
    {
        await EndAsync(upload.UploadId);
        parts.Clear(upload.UploadId);
        LocalReceive? receive = null;
        using var pending = new MemoryStream(); // a BEGIN may have a payload of many slices
        using var stored = new StoredBytesReader(body);
        SnapshotStreamInfo? known = null;
        var decoded = false;
        try
        {
            var facts = await StoredStreamDecoder.DecodeAsync(
                stored,
                upload.Compression,
                begin =>
                {
                    admission.Check(upload, begin);
                    known = begin;
                    parts.GetOrSetBegin(upload.UploadId, StreamState.WriteBegin(begin));
                },
                TakeAsync,
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
        catch (RequestException e) when (IsOfTheStream(e))
        {
            await DiscardAsync(upload);
            throw;
        }
        finally
        {
            await EndAsync(upload.UploadId); // cut off: ZFS keeps what it has
        }

        async ValueTask TakeAsync(ReadOnlyMemory<byte> slice, CancellationToken token)
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

    /// <summary>Hands a part on that was checked, once the part before it was.</summary>
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
                $"Part {part.Number} does not go on where the part before it ends.",
                "Ask with POST /upload where the upload goes on."
            );
        try
        {
            var receive =
                part.Number == 1
                    ? await start.RunAsync(upload, client, begin, cancellationToken)
                    : receives.Find(upload.UploadId) ?? throw LocalFaults.Interrupted();
            await CopyAsync(upload, content, receive);
        }
        catch (RequestException e)
        {
            if (IsOfTheStream(e))
                await DiscardAsync(upload);
            else
                await EndAsync(upload.UploadId);
            throw;
        }

        if (!parts.Put(upload.UploadId, part))
            throw RequestException.NotFound("The upload was dropped meanwhile.");
        turns.Wrote(upload.UploadId, part.Number);
    }

    /// <summary>Makes a backup of parts that were all handed on, but for the last record.</summary>
    /// <exception cref="RequestException">The parts are not one whole stream, or ZFS refuses it.</exception>
    public async Task<SnapshotInfo> CompleteAsync(UploadRecord upload, CompleteRequest request)
    {
        if (receives.Find(upload.UploadId) is not { } receive)
            throw LocalFaults.Interrupted();
        var list = parts.List(upload.UploadId);
        var end = PartsJoin.Check(list, request);
        if (
            !StreamState.TryRead($"{list[^1].EndState};{parts.FindBegin(upload.UploadId)}", out var state)
            || state.Snapshot is not { } begin
        )
            throw new InvalidOperationException(
                $"The catalogue does not say what the stream of upload {upload.UploadId} is."
            );
        try
        {
            admission.Check(upload, begin);
            return await FinishAsync(
                upload,
                receive,
                begin,
                (end.StreamOffset, end.RecordCount, list[^1].EndChecksum!),
                request.PartsSha256
            );
        }
        catch (RequestException e) when (IsOfTheStream(e))
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
    /// Ends the receive of an upload that goes on, and says where: who asks begins with part 1 again.
    /// </summary>
    /// <returns>Null where nothing of it was kept.</returns>
    public async Task<UploadResume?> PrepareAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        await EndAsync(upload.UploadId);
        var resume = await FindResumeAsync(upload, cancellationToken);
        parts.Clear(upload.UploadId);
        return resume;
    }

    /// <summary>How far an upload came; of one that is under way, what it was given.</summary>
    public async Task<UploadResume?> FindResumeAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        if (LocalTarget.Of(upload) is not { } target)
            return null;
        var begin = FindBegin(upload);
        if (begin is not null && receives.Find(upload.UploadId) is { } receive)
            return Describe(Mint(begin, receive));
        var text = await receives.FindTokenAsync(target.Dataset, cancellationToken);
        return ResumeToken.TryParse(text, out var token) && token.SnapshotGuid == GuidOf(upload, begin)
            ? Describe(token)
            : null;
    }

    /// <summary>Ends an upload's receive; what ZFS has of it stays.</summary>
    public async Task EndAsync(string uploadId)
    {
        await receives.EndAsync(uploadId);
        turns.Forget(uploadId);
    }

    /// <summary>Ends an upload's receive and drops what ZFS has of it.</summary>
    public async Task DiscardAsync(UploadRecord stale)
    {
        await EndAsync(stale.UploadId);
        var upload = uploads.Find(stale.ClientId, stale.UploadId) ?? stale; // with the target that was chosen meanwhile
        if (LocalTarget.Of(upload) is { } target)
        {
            // First: where ZFS does not answer, it stays known what there is.
            if (!receives.IsReceiving(target.Dataset))
                await AbortAsync(upload, target.Dataset);
            uploads.SetTarget(upload.UploadId, LocalTarget.ParentOf(target.Dataset).Value); // its name is free again
        }

        parts.Clear(upload.UploadId);
    }

    private async Task AbortAsync(UploadRecord upload, DatasetName dataset)
    {
        var text = await receives.FindTokenAsync(dataset, CancellationToken.None);
        if (ResumeToken.TryParse(text, out var token) && token.SnapshotGuid == GuidOf(upload, FindBegin(upload)))
            await receives.AbortAsync(dataset, CancellationToken.None);
    }

    /// <summary>
    /// Whether the stream itself was refused, so that it would be again; else ZFS keeps what it has of it.
    /// </summary>
    private static bool IsOfTheStream(RequestException e) =>
        e.Error.Code
            is not ("receive_interrupted" or "server_busy" or "storage_unavailable" or "storage_type_unavailable");

    /// <summary>
    /// The snapshot that is received: once its client has asked where it goes on, only that has told.
    /// </summary>
    private static ulong? GuidOf(UploadRecord upload, SnapshotStreamInfo? begin) =>
        begin?.SnapshotGuid ?? upload.SnapshotGuid?.Value;

    private async Task<SnapshotInfo> FinishAsync(
        UploadRecord upload,
        LocalReceive receive,
        SnapshotStreamInfo begin,
        (long Length, long RecordCount, string EndChecksum) whole,
        string digest
    )
    {
        // The rest of a stream has its own BEGIN, which ZFS does not count.
        var length = whole.Length + (receive.AlreadyBytes > 0 ? receive.AlreadyBytes : 0);
        var manifest = describing.Describe(upload, begin, whole with { Length = length }, [], sha256: null) with
        {
            Compression = "none",
            PartsSha256 = digest,
            LockedUntil = null,
        };
        var note = new LocalNote { SnapshotId = upload.SnapshotId, Manifest = manifest };
        if (!uploads.SetNote(upload.UploadId, note.ToJson()))
            throw RequestException.NotFound("The upload was dropped meanwhile.");
        await receive.FinishAsync();
        return await commit.RunAsync(upload, receive.Target, note);
    }

    private static async Task CopyAsync(UploadRecord upload, ReadOnlyMemory<byte> content, LocalReceive receive)
    {
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(content, out var segment);
        using var memory = new MemoryStream(segment.Array!, segment.Offset, segment.Count, writable: false);
        using var stored = new StoredBytesReader(memory, digest: false);
        using var stream = new DecompressedStream(stored, upload.Compression);
        ReadOnlyMemory<byte> slice;
        // Not to be cancelled: half a part in ZFS could not be sent again.
        while (!(slice = await stream.ReadSliceAsync(StreamSlice.Size, CancellationToken.None)).IsEmpty)
            await receive.WriteAsync(slice, CancellationToken.None);
    }

    private SnapshotStreamInfo? FindBegin(UploadRecord upload)
    {
        var anywhere = StreamState.WriteWithoutBegin(ParserState.Start with { Phase = StreamPhase.Snapshot });
        return
            parts.FindBegin(upload.UploadId) is { } begin && StreamState.TryRead($"{anywhere};{begin}", out var state)
            ? state.Snapshot
            : null;
    }

    private static ResumeToken Mint(SnapshotStreamInfo begin, LocalReceive receive) =>
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
