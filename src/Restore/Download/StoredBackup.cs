using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Advanced;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// Reads one backup from the server: by parts if it has a manifest, otherwise in one response. Everything is verified
/// while it is read: digests, compression, every record, and that it is the listed snapshot.
/// </summary>
internal sealed class StoredBackup
{
    private readonly RestoreSession _session;
    private readonly SnapshotInfo _backup;
    private readonly BackupSource _source;
    private readonly BackupVerifier _verifier;
    private readonly CompressionFormat _compression;

    private StoredBackup(RestoreSession session, SnapshotInfo backup)
    {
        (_session, _backup, _source, _verifier) = (
            session,
            backup,
            new BackupSource(session.Server, backup),
            new BackupVerifier(backup)
        );
        if (!CompressionFormats.TryParse(backup.Compression, out _compression))
            throw new OperationException(
                ExitCode.Failure,
                $"{backup.SnapshotId} is compressed with {backup.Compression}, which this version does not support.",
                "Use a newer zfs-restore."
            );
    }

    /// <summary>What an interrupted receive still needs; null if everything is read.</summary>
    public BackupRemainder? Rest { get; private init; }

    /// <summary>Null if the manifest is not available.</summary>
    private PartTable? Parts { get; init; }

    /// <summary>Asks the server how the backup is stored.</summary>
    /// <param name="session">The server.</param>
    /// <param name="backup">The backup to read.</param>
    /// <param name="token">Token of the interrupted receive to resume; null: everything is read.</param>
    /// <exception cref="OperationException">The server is unreachable for too long, or refuses.</exception>
    public static async Task<StoredBackup> OpenAsync(
        RestoreSession session,
        SnapshotInfo backup,
        ResumeToken? token,
        CancellationToken cancellationToken
    )
    {
        PartTable? parts = null;
        if (!backup.IsLocal)
            parts = await FindPartsAsync(session, backup, cancellationToken);
        return new StoredBackup(session, backup)
        {
            Parts = parts,
            Rest = token is null ? null : BackupRemainder.Of(token, parts),
        };
    }

    /// <summary>Reads all of it.</summary>
    /// <param name="onStored">Receives the stored bytes; may be null.</param>
    /// <param name="onStream">Receives the bytes of the stream after they are verified; may be null.</param>
    /// <param name="progress">Counts the received stored bytes.</param>
    /// <exception cref="OperationException">The backup is not what was stored (<see cref="ExitCode.Damaged"/>), or the
    /// server is unreachable for too long.</exception>
    public Task<StreamInfo> ReadAsync(
        StoredBytesReader.Sink? onStored,
        StoredStreamDecoder.SliceHandler? onStream,
        TransferProgress progress,
        CancellationToken cancellationToken
    ) =>
        _verifier.RunAsync(async () =>
        {
            var retry = Retry(progress);
            await using var source = Parts is null
                ? Whole(retry, progress.Add)
                : (Stream)Read(Parts.AllParts(), retry, progress.Add);
            await using var stored = new StoredBytesReader(source, onStored, digest: _backup.Sha256 is not null);
            var facts = await StoredStreamDecoder.DecodeAsync(
                stored,
                _compression,
                _verifier.CheckBegin,
                onStream,
                cancellationToken
            );
            CheckWhole(stored);
            ReportRetries(retry);
            return facts;
        });

    /// <summary>Writes what an interrupted <c>zfs receive -s</c> still needs.</summary>
    /// <exception cref="OperationException">The backup is not what was stored (<see cref="ExitCode.Damaged"/>), or the
    /// server is unreachable for too long.</exception>
    /// <exception cref="StreamCombinationException">The token does not fit the stream, or its records are in an order
    /// that cannot be continued.</exception>
    public Task WriteRemainderAsync(
        Stream destination,
        TransferProgress progress,
        CancellationToken cancellationToken
    ) =>
        _verifier.RunAsync(async () =>
        {
            var rest = Rest!;
            var retry = Retry(progress);
            var resume = new ReceiveResume(rest.Token);
            try
            {
                await (
                    rest.Runs is { } runs
                        ? resume.WriteAsync(
                            OpenRuns(runs, retry, progress.Add, cancellationToken),
                            destination,
                            cancellationToken
                        )
                        : WriteRemainderOfWholeAsync(resume, destination, retry, progress, cancellationToken)
                );
            }
            catch (SendStreamException e) when (e.Error == SendStreamError.UnexpectedRecord)
            {
                // A complete and valid stream may still have its records in an order that cannot be resumed.
                throw new StreamCombinationException(e.Message);
            }

            ReportRetries(retry);
            return true;
        });

    /// <returns>Null if it is not available.</returns>
    private static async Task<PartTable?> FindPartsAsync(
        RestoreSession session,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return (await ManifestDownload.FetchAsync(session, backup, cancellationToken)).Parts;
        }
        catch (OperationException e) when (ManifestDownload.IsUnavailable(e))
        {
            // The backup may be readable without it: then its digest as a whole decides, or the server refuses with a
            // reason.
            session.Detail($"{backup.SnapshotId} is read in one go: {e.Message}");
            return null;
        }
    }

    private RetryPolicy Retry(TransferProgress progress) =>
        new(_session.Settings.RetryTime, TimeProvider.System, progress.Wait, honorsRetryAfter: true);

    private BackupDownload Whole(RetryPolicy retry, Action<long> progress) =>
        _backup.IsLocal
            ? new(
                (_, _, cancellationToken) => _source.OpenLiveAsync(null, cancellationToken),
                retry,
                progress,
                canResume: false
            )
            : new(_source.OpenAsync, retry, progress);

    private PartReader Read(IEnumerable<BackupPart> parts, RetryPolicy retry, Action<long> progress) =>
        new(
            new PartFetch(_source.OpenAsync, retry, progress),
            _session.Pages,
            _session.Settings.ParallelParts,
            parts,
            Parts!.LargestPart
        );

    /// <summary>Each run has its own reader; only the last run has many parts.</summary>
    private async IAsyncEnumerable<StreamRun> OpenRuns(
        IReadOnlyList<GroupRun> runs,
        RetryPolicy retry,
        Action<long> progress,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        foreach (var run in runs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await using var parts = Read(Parts!.PartsOf(run.Range.First, run.Range.Last), retry, progress);
            await using var stored = new StoredBytesReader(parts, digest: false);
            await using var plain = new DecompressedStream(stored, _compression);
            yield return new StreamRun(run.Before, run.After, plain);
        }
    }

    private async Task WriteRemainderOfWholeAsync(
        ReceiveResume resume,
        Stream destination,
        RetryPolicy retry,
        TransferProgress progress,
        CancellationToken cancellationToken
    )
    {
        await using var source = Parts is null
            ? Whole(retry, progress.Add)
            : (Stream)Read(Parts.AllParts(), retry, progress.Add);
        await using var stored = new StoredBytesReader(source, digest: _backup.Sha256 is not null);
        await using var plain = new DecompressedStream(stored, _compression);
        await resume.WriteAsync(plain, destination, cancellationToken);
        CheckWhole(stored);
    }

    private void CheckWhole(StoredBytesReader stored)
    {
        if (_backup.IsLocal)
            return; // ZFS made it while it was read: only its checksums and GUID can be compared
        if (stored.BytesRead == _backup.SizeBytes && (_backup.Sha256 is null || stored.GetSha256() == _backup.Sha256))
            return;
        throw _verifier.Damaged(
            $"contains a valid stream, but not the bytes that were stored ({stored.BytesRead} bytes, expected "
                + $"{_backup.SizeBytes}, or another SHA-256)."
        );
    }

    private void ReportRetries(RetryPolicy retry)
    {
        if (retry.Retries > 0)
            _session.Detail($"{_backup.SnapshotId}: {retry.Retries} requests were retried");
    }
}
