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
    private readonly BandwidthLimit? _limit = settings.BandwidthLimit is { } rate
        ? new BandwidthLimit(rate, time)
        : null;

    private readonly UploadInquiry _inquiry = new(server, time);

    /// <returns>The backup, and how many bytes of its stream an earlier run had sent.</returns>
    /// <exception cref="UploadInterruptedException">It stays open, and can go on.</exception>
    /// <exception cref="NotResumableException">It was to go on and cannot; it is dropped.</exception>
    /// <exception cref="OperationException">It failed for good; it is dropped.</exception>
    public async Task<(SnapshotInfo Backup, long ResumedFrom)> SendAsync(
        UploadSource source,
        CancellationToken cancellationToken
    )
    {
        var asking = new RetryPolicy(
            settings.RetryTime,
            TransientFailure.OfUpload,
            time,
            why => output.Warn(why ?? "the server is reachable again"),
            honorsRetryAfter: true
        );
        long? estimate = null;
        if (source.Send is { } send)
            estimate = await send.EstimateAsync(settings.Zfs, cancellationToken);
        UploadAnswer upload;
        try
        {
            upload = await asking.RunAsync(
                token => server.RequestUploadAsync(source.Request with { EstimatedSize = estimate }, token),
                cancellationToken
            );
        }
        catch (ApiException e) when (source.Send is null && e.Code == "snapshot_exists")
        {
            // The run before was killed while the server committed.
            if (source.Find(await server.GetSnapshotsAsync(cancellationToken)) is { } committed)
                return (committed, committed.StreamBytes);
            throw;
        }

        var interruptions = new ReceiveInterruptions(settings.RetryTime, time);
        for (var mayResume = source.Send is null; ; mayResume = true)
        {
            try
            {
                return await SendOnceAsync(source, upload, estimate, mayResume, cancellationToken);
            }
            catch (ApiException e) when (ReceiveInterruptions.IsInterruption(e))
            {
                // The server's zfs receive has ended, with the server or by itself: ZFS says where the stream goes on.
                if (!interruptions.MayRetry(upload.Resume))
                    throw new UploadInterruptedException(e, upload.Resume?.StreamBytes ?? 0);
                output.Note(
                    $"{source.Snapshot.Name}: the server's zfs receive was interrupted; asking where to resume"
                );
                var (again, committed) = await AskAgainAsync(
                    source,
                    estimate,
                    asking,
                    upload.Resume,
                    cancellationToken
                );
                if (committed is not null)
                    return (committed, committed.StreamBytes);
                upload = again!;
            }
        }
    }

    private async Task<(UploadAnswer? Upload, SnapshotInfo? Committed)> AskAgainAsync(
        UploadSource source,
        long? estimate,
        RetryPolicy asking,
        UploadResume? last,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return (
                await asking.RunAsync(
                    token => server.RequestUploadAsync(source.Request with { EstimatedSize = estimate }, token),
                    cancellationToken
                ),
                null
            );
        }
        catch (ApiException e) when (e.Code == "snapshot_exists")
        {
            if (source.Find(await server.GetSnapshotsAsync(cancellationToken)) is { } committed)
                return (null, committed);
            throw;
        }
        catch (Exception e) when (e is OperationCanceledException || TransientFailure.OfUpload(e))
        {
            throw new UploadInterruptedException(e, last?.StreamBytes ?? 0);
        }
    }

    /// <param name="mayResume">False: the stream is sent from its start, whatever the server has of it.</param>
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
            var resume =
                mayResume && (source.Send is null || upload.Resume is not null)
                    ? ResumePoint.Read(upload.Resume)
                    : null;
            var from = resume?.From ?? TransferStart.Beginning;
            var already = resume?.StreamBytes ?? 0;
            acknowledged = new AcknowledgedParts(from.Number - 1, already) { IsResumed = resume is not null };
            var expected = estimate;
            if (resume is not null)
                expected = await EstimateAsync(resume, cancellationToken);
            var memory = new MemoryBudget(
                Math.Clamp(settings.UploadParallel, 1, Math.Max(upload.MaxParallelParts, 1)),
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
        catch (Exception e)
            when (acknowledged is { Any: true }
                && (
                    e is OperationCanceledException
                    || TransientFailure.OfUpload(e)
                    || e is ZfsException { WasCutOff: true }
                )
            )
        {
            throw new UploadInterruptedException(e, acknowledged.StreamBytes);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var reason = await _inquiry.AbortAsync(upload.UploadId);
            if (reason is not null && e is OperationException { ExitCode: ExitCode.Unreachable })
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
        var retry = new RetryPolicy(
            settings.RetryTime,
            TransientFailure.OfUpload,
            time,
            progress.Wait,
            honorsRetryAfter: true
        );
        var requests = new UploadRequests(server, upload.UploadId, retry, _limit, time);
        var commit = new UploadCommit(server, requests, source.Snapshot, retry, _inquiry);
        var from = resume?.From ?? TransferStart.Beginning;
        if (from.State.Phase == StreamPhase.End)
            return await commit.CompleteAsync(resume!.Parts, from.State.StreamOffset, cancellationToken);

        var level = source.Compression == settings.Compression ? settings.CompressionLevel : null;
        var pipeline = new StreamPipeline(memory, source.Compression, level, from, SendPartAsync, count =>
            progress.Add(count)
        );
        var end = await SendAsync(source, resume, pipeline, cancellationToken);
        var backup = await FinishAsync(end);
        if (verbose)
            output.Note(
                $"{source.Snapshot.Name}: {end.Parts.Count} parts sent, {retry.Retries} times one was tried again"
            );
        return backup;

        async Task SendPartAsync(UploadPart part, CancellationToken token)
        {
            await requests.SendPartAsync(part, token);
            acknowledged.Add(part);
        }

        Task<SnapshotInfo> FinishAsync(TransferEnd transfer) =>
            transfer.Whole is { } whole
                ? commit.SendWholeAsync(whole, cancellationToken)
                : commit.CompleteAsync(
                    [.. resume?.Parts ?? [], .. transfer.Parts],
                    transfer.State.StreamOffset,
                    cancellationToken
                );
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
            return await pipeline.RunAsync(sending, sending.Output, cancellationToken);
        }

        try
        {
            await using var sending = ZfsSend.StartRest(settings.Zfs, resume!.Token!);
            return await pipeline.RunAsync(
                sending,
                resume.Splice?.OpenRest(sending.Output) ?? sending.Output,
                cancellationToken
            );
        }
        catch (Exception e)
            when (e is StreamCombinationException or SendStreamException { Error: SendStreamError.UnexpectedRecord }
                || (e is ZfsException { WasCutOff: false } && !pipeline.HasBegun)
            )
        {
            throw new NotResumableException(e.Message, e);
        }
    }

    /// <summary>
    /// What ZFS expects the whole stream to have; a token it does not take is told of when it is used.
    /// </summary>
    private async Task<long?> EstimateAsync(ResumePoint resume, CancellationToken cancellationToken)
    {
        if (resume.Token is not { } token)
            return resume.StreamBytes;
        try
        {
            return resume.StreamBytes + await ZfsSend.EstimateRestAsync(settings.Zfs, token, cancellationToken);
        }
        catch (ZfsException)
        {
            return null;
        }
    }

    private void DescribeTransfer(UploadSource source, MemoryBudget memory)
    {
        if (!verbose)
            return;
        var threads = memory.Workers == 1 ? "1 thread" : $"{memory.Workers} threads";
        output.Note($"{CompressionEngine.Describe(source.Compression)}, {threads}");
        output.Note(
            $"parts of {ByteSize.Format(memory.PartSize)}, {memory.ParallelParts} at "
                + $"once{(settings.BandwidthLimit is { } rate ? $", {ByteSize.Format(rate)}/s" : "")}; buffers of "
                + $"up to {ByteSize.Format(memory.Bytes)}"
        );
        output.Note(
            settings.RetryTime > TimeSpan.Zero
                ? $"transient failures are retried for up to {settings.RetryTime.TotalSeconds} s"
                : "retries are disabled"
        );
    }
}
