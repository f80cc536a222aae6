using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Advanced;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// One backup on the server, and how it can be read: by parts, where its manifest is there, else in one go. What is
/// read is proven on the way: digests, compression, every record, and that it is the snapshot that was listed.
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

    /// <summary>What an interrupted receive still needs; null where all is read.</summary>
    public BackupRemainder? Rest { get; private init; }

    /// <summary>Null where the manifest is not to be had.</summary>
    private IReadOnlyList<BackupPart>? Parts { get; init; }

    /// <summary>Asks how the backup is stored.</summary>
    /// <param name="session">The server.</param>
    /// <param name="backup">What to read.</param>
    /// <param name="token">Of an interrupted receive that is to go on; null: all is read.</param>
    /// <exception cref="OperationException">The server is away for too long, or refuses.</exception>
    public static async Task<StoredBackup> OpenAsync(
        RestoreSession session,
        SnapshotInfo backup,
        ResumeToken? token,
        CancellationToken cancellationToken
    )
    {
        Manifest? manifest = null;
        if (!backup.IsLocal)
            manifest = await FindManifestAsync(session, backup, cancellationToken);
        var parts = manifest is null ? null : BackupPart.ListOf(manifest);
        return new StoredBackup(session, backup)
        {
            Parts = parts,
            Rest = token is null ? null : BackupRemainder.Of(token, manifest, parts),
        };
    }

    /// <summary>Reads all of it.</summary>
    /// <param name="onStored">Gets the stored bytes, or null.</param>
    /// <param name="onStream">Gets the stream's bytes, each verified before, or null.</param>
    /// <param name="progress">Told of stored bytes as they come.</param>
    /// <exception cref="OperationException">The backup is not what was stored (<see cref="ExitCode.Damaged"/>), or the
    /// server is away for too long.</exception>
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
                : (Stream)Read(Parts, retry, progress.Add);
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
    /// server is away for too long.</exception>
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
                // A stream may be whole and yet not be in the order that continuing needs.
                throw new StreamCombinationException(e.Message);
            }

            ReportRetries(retry);
            return true;
        });

    /// <returns>Null where it is not to be had.</returns>
    private static async Task<Manifest?> FindManifestAsync(
        RestoreSession session,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await ManifestDownload.FetchAsync(session, backup, cancellationToken);
        }
        catch (OperationException e) when (ManifestDownload.IsUnavailable(e))
        {
            // What can be read without it shall be; then the digest of the whole decides, or the server refuses in its
            // own words.
            session.Detail($"{backup.SnapshotId} is read in one go: {e.Message}");
            return null;
        }
    }

    private RetryPolicy Retry(TransferProgress progress) =>
        new(_session.Settings.RetryTime, TransientFailure.OfDownload, TimeProvider.System, progress.Wait);

    private BackupDownload Whole(RetryPolicy retry, Action<long> progress) =>
        _backup.IsLocal
            ? new(
                (_, _, cancellationToken) => _source.OpenLiveAsync(null, cancellationToken),
                retry,
                progress,
                canResume: false
            )
            : new(_source.OpenAsync, retry, progress);

    private PartReader Read(IReadOnlyList<BackupPart> parts, RetryPolicy retry, Action<long> progress) =>
        new(new PartFetch(_source.OpenAsync, retry, progress), _session.Pages, _session.Settings.ParallelParts, parts);

    /// <summary>Each run's parts are fetched by a reader of their own: only the last run has many.</summary>
    private async IAsyncEnumerable<StreamRun> OpenRuns(
        IReadOnlyList<PartRun> runs,
        RetryPolicy retry,
        Action<long> progress,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        foreach (var run in runs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await using var parts = Read(
                [.. Parts!.Skip(run.Range.First).Take(run.Range.Last - run.Range.First + 1)],
                retry,
                progress
            );
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
        await using var source = Parts is null ? Whole(retry, progress.Add) : (Stream)Read(Parts, retry, progress.Add);
        await using var stored = new StoredBytesReader(source, digest: _backup.Sha256 is not null);
        await using var plain = new DecompressedStream(stored, _compression);
        await resume.WriteAsync(plain, destination, cancellationToken);
        CheckWhole(stored);
    }

    private void CheckWhole(StoredBytesReader stored)
    {
        if (_backup.IsLocal)
            return; // made when it was asked for: its own checksums and GUID prove it
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
