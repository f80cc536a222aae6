using System.Runtime.ExceptionServices;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// Sends one stream, from its start or from where an interrupted upload ended, until the server has committed it.
/// </summary>
internal sealed class BackupUpload(
    ClientSettings settings,
    ApiClient server,
    Output output,
    bool verbose,
    TimeProvider time
)
{
    /// <summary>
    /// How many parts each connection may be ahead of the first missing one: what another run would send again.
    /// </summary>
    private const int PartsAhead = 4;

    private readonly BandwidthLimit? _limit = settings.BandwidthLimit is { } rate
        ? new BandwidthLimit(rate, time)
        : null;

    private readonly UploadInquiry _inquiry = new(server, time);

    /// <returns>The backup, and how many bytes of its stream an earlier run had sent.</returns>
    /// <exception cref="UploadInterruptedException">The upload stays open and can be resumed.</exception>
    /// <exception cref="NotResumableException">The upload was to be resumed and cannot; it is dropped.</exception>
    /// <exception cref="OperationException">It failed for good; the upload is dropped.</exception>
    public async Task<(SnapshotInfo Backup, long ResumedFrom)> SendAsync(
        UploadSource source,
        CancellationToken cancellationToken
    )
    {
        var retry = ServerRetry.Create(settings.RetryTime, output, time);
        var estimate = await EstimateAsync(source, cancellationToken);
        var request = source.Request with { EstimatedSize = estimate };
        var stored = source.Stored;
        var (upload, committed) = await OpenAsync(source, request, stored, retry, cancellationToken);
        var interruptions = new ReceiveInterruptions(settings.RetryTime, time);
        var mayResume = source.Send is null;
        var hasStartedOver = false;
        while (committed is null)
        {
            try
            {
                return await SendOnceAsync(source, upload!, estimate, mayResume, cancellationToken);
            }
            catch (ApiException e) when (ReceiveInterruptions.IsInterruption(e))
            {
                // The server's zfs receive ended, with the server or by itself; its ZFS says where the stream resumes.
                if (!interruptions.MayRetry(upload!.Resume))
                    throw new UploadInterruptedException(e, upload.Resume?.StreamBytes ?? 0);
                stored = upload.Resume?.StreamBytes ?? 0;
                output.Note(
                    $"{source.Snapshot.Name}: the server's zfs receive was interrupted; asking where to resume"
                );
                mayResume = true;
            }
            catch (NotResumableException e) when (source.Send is not null)
            {
                // Once: a store that loses what takes long to send would lose it again.
                if (hasStartedOver)
                    ExceptionDispatchInfo.Throw(e.InnerException ?? e);
                output.Warn($"{source.Snapshot.Name}: {e.Message} The stream is sent again from its start.");
                (hasStartedOver, mayResume, stored) = (true, false, null);
            }

            (upload, committed) = await OpenAsync(source, request, stored, retry, cancellationToken);
        }

        return (committed, committed.StreamBytes);
    }

    /// <summary>Announces the upload.</summary>
    /// <param name="stored">Bytes of the stream that the server has; null if it has nothing.</param>
    /// <returns>The upload; or the backup, if the server has committed it already: an earlier run was killed meanwhile,
    /// or an answer was lost.</returns>
    private async Task<(UploadAnswer? Upload, SnapshotInfo? Committed)> OpenAsync(
        UploadSource source,
        UploadRequest request,
        long? stored,
        RetryPolicy retry,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return (await retry.RunAsync(token => server.RequestUploadAsync(request, token), cancellationToken), null);
        }
        catch (ApiException e) when (e.Code == "snapshot_exists")
        {
            var backups = await retry.RunAsync(server.GetSnapshotsAsync, cancellationToken);
            if (source.Find(backups) is { } committed)
                return (null, committed);
            throw;
        }
        catch (Exception e)
            when (stored is not null && UploadFates.Of(e, isFruitless: false) is UploadFate.Keep or UploadFate.Leave)
        {
            throw new UploadInterruptedException(e, stored.Value);
        }
    }

    /// <param name="mayResume">False: the stream is sent from its start, whatever the server has stored of it.</param>
    private async Task<(SnapshotInfo Backup, long ResumedFrom)> SendOnceAsync(
        UploadSource source,
        UploadAnswer upload,
        long? estimate,
        bool mayResume,
        CancellationToken cancellationToken
    )
    {
        AcknowledgedParts? acknowledged = null;
        try
        {
            ResumePoint? resume = null;
            if (mayResume && (source.Send is null || upload.Resume is not null))
                resume = ResumePoint.Read(upload.Resume, source.Expected);
            var from = resume?.From ?? TransferStart.Beginning;
            var already = resume?.StreamBytes ?? 0;
            acknowledged = new AcknowledgedParts(from.Number - 1, already, PartsAhead * settings.UploadParallel)
            {
                IsResumed = resume is not null,
            };
            var expected = estimate;
            if (resume is not null)
                expected = await EstimateAsync(resume, cancellationToken);
            var memory = new MemoryBudget(
                MemoryBudget.ChooseParallelParts(settings.UploadParallel, upload.MaxParallelParts, upload.PartSize),
                upload.PartSize,
                BlockWorkers.CountFor(source.Compression)
            );
            DescribeTransfer(source, memory);
            var backup = await TransferProgress.RunAsync(
                source.Snapshot.Name.ToString(),
                expected,
                output,
                progress => TransferAsync(source, upload, resume, memory, acknowledged, progress, cancellationToken),
                already
            );
            return (backup, already);
        }
        catch (ApiException e) when (ReceiveInterruptions.IsInterruption(e))
        {
            throw;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var fate = UploadFates.Of(e, acknowledged is { IsFruitless: true });
            if (fate == UploadFate.Leave || (fate == UploadFate.Keep && acknowledged is { Any: true }))
                throw new UploadInterruptedException(e, acknowledged?.StreamBytes ?? 0);
            var reason = await _inquiry.AbortAsync(upload.UploadId);
            if (fate == UploadFate.StartOver)
                throw e as NotResumableException ?? new NotResumableException(e.Message, e);
            // All that this side may have seen of a refusal in the middle of a body is a broken connection.
            if (reason is not null && e is OperationException { Kind: FailureKind.Transient } and not ZfsException)
                throw reason;
            throw;
        }
    }

    private async Task<SnapshotInfo> TransferAsync(
        UploadSource source,
        UploadAnswer upload,
        ResumePoint? resume,
        MemoryBudget memory,
        AcknowledgedParts acknowledged,
        TransferProgress progress,
        CancellationToken cancellationToken
    )
    {
        var retry = Retry(progress.Wait);
        var requests = new UploadRequests(server, upload.UploadId, retry, _limit, time);
        var commit = new UploadCommit(server, requests, source.Snapshot, retry, _inquiry);
        var from = resume?.From ?? TransferStart.Beginning;
        var already = acknowledged.StreamBytes;
        using var digest = new PartsDigest();
        if (resume is { Parts: > 0 and var parts })
            await requests.AddPartDigestsAsync(digest, parts, cancellationToken);
        if (from.State.Phase == StreamPhase.End)
            return await commit.CompleteAsync(digest, from.State.StreamOffset, cancellationToken);

        var level = source.Compression == settings.Compression ? settings.CompressionLevel : null;
        var pipeline = new StreamPipeline(memory, source.Compression, level, from, digest, SendPartAsync, count =>
            progress.Add(count)
        );
        var end = await SendAsync(source, resume, pipeline, cancellationToken);
        SnapshotInfo backup;
        if (end.Whole is { } whole)
        {
            backup = await commit.SendWholeAsync(whole, cancellationToken);
        }
        else
        {
            Invariant.Require(
                acknowledged.StreamBytes - already == end.State.StreamOffset - from.State.StreamOffset,
                "the acknowledged parts contain all that was read from zfs send"
            );
            backup = await commit.CompleteAsync(digest, end.State.StreamOffset, cancellationToken);
        }

        if (verbose)
            output.Note($"{source.Snapshot.Name}: {end.Parts} parts sent, {retry.Retries} retries");
        return backup;

        async Task SendPartAsync(UploadPart part, CancellationToken token)
        {
            await acknowledged.WaitForTurnAsync(part, token);
            await requests.SendPartAsync(part, token);
            acknowledged.Add(part);
        }
    }

    private async Task<TransferEnd> SendAsync(
        UploadSource source,
        ResumePoint? resume,
        StreamPipeline pipeline,
        CancellationToken cancellationToken
    )
    {
        if (resume is null && source.Send is { } send)
        {
            await using var sending = send.Start(settings.Zfs);
            var planned = new PlannedStream(sending.Output, source.Expected, from: null);
            return await pipeline.RunAsync(sending, planned, cancellationToken);
        }

        try
        {
            await using var sending = ZfsSend.StartRest(settings.Zfs, resume!.Token!.ToString());
            var planned = new PlannedStream(sending.Output, source.Expected, resume.Token);
            return await pipeline.RunAsync(sending, resume.Splice?.OpenRest(planned) ?? planned, cancellationToken);
        }
        catch (Exception e)
            when (e
                    is UnexpectedStreamException
                        or StreamCombinationException
                        or SendStreamException { Error: SendStreamError.UnexpectedRecord }
            )
        {
            throw new NotResumableException(e.Message, e);
        }
    }

    /// <summary>
    /// The expected size of a stream that is sent from its start, in bytes; null if ZFS does not say. Old versions
    /// refuse to estimate what they send (openzfs/zfs#3666), and everything else is reported by the send itself.
    /// </summary>
    private async Task<long?> EstimateAsync(UploadSource source, CancellationToken cancellationToken)
    {
        if (source.Send is not { } send)
            return null;
        try
        {
            return await send.EstimateAsync(settings.Zfs, cancellationToken);
        }
        catch (ZfsException e)
        {
            if (verbose)
                output.Note($"{source.Snapshot.Name}: its size is unknown: {e.Message}");
            return null;
        }
    }

    /// <summary>
    /// The expected size of the whole stream in bytes. A token that ZFS refuses is reported when it is used.
    /// </summary>
    private async Task<long?> EstimateAsync(ResumePoint resume, CancellationToken cancellationToken)
    {
        if (resume.Token is not { } token)
            return resume.StreamBytes;
        try
        {
            var rest = await ZfsSend.EstimateRestAsync(settings.Zfs, token.ToString(), cancellationToken);
            return resume.StreamBytes + rest;
        }
        catch (ZfsException)
        {
            return null;
        }
    }

    private RetryPolicy Retry(Action<string?> waiting) =>
        new(settings.RetryTime, time, waiting, honorsRetryAfter: true);

    private void DescribeTransfer(UploadSource source, MemoryBudget memory)
    {
        if (!verbose)
            return;
        var threads = memory.Workers == 1 ? "1 thread" : $"{memory.Workers} threads";
        output.Note($"{CompressionEngine.Describe(source.Compression)}, {threads}");
        var limit = settings.BandwidthLimit is { } rate ? $", {ByteSize.Format(rate)}/s" : "";
        output.Note(
            $"parts of {ByteSize.Format(memory.PartSize)}, {memory.ParallelParts} at once{limit}; buffers of up to "
                + ByteSize.Format(memory.Bytes)
        );
        output.Note(
            settings.RetryTime > TimeSpan.Zero
                ? $"transient failures are retried for up to {settings.RetryTime.TotalSeconds} s"
                : "retries are disabled"
        );
    }
}
