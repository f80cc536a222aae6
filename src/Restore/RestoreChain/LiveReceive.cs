using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Receives one backup that the server's ZFS sends while it is received. Such a stream can be resumed only where the
/// receiving ZFS says: if it breaks, the receive is ended, so that ZFS records how far it came, and another one resumes
/// there.
/// </summary>
/// <param name="session">The server.</param>
/// <param name="backup">The backup.</param>
/// <param name="zfs">Receives it.</param>
/// <param name="index">Its place in the chain.</param>
/// <param name="replan">Plans the rest of the restore after a break; removes what cannot be resumed.</param>
internal sealed class LiveReceive(
    RestoreSession session,
    SnapshotInfo backup,
    SnapshotReceive zfs,
    int index,
    Func<Task<RestorePlan>> replan
)
{
    /// <param name="token">Where an interrupted receive resumes; null: from the start.</param>
    /// <exception cref="OperationException">A failure that is not transient, or has lasted too long.</exception>
    public Task RunAsync(ResumeToken? token, CancellationToken cancellationToken) =>
        TransferProgress.RunAsync(
            backup.SnapshotName,
            backup.SizeBytes,
            session.Output,
            async shown =>
            {
                var retry = new RetryPolicy(
                    session.Settings.RetryTime,
                    TimeProvider.System,
                    shown.Wait,
                    honorsRetryAfter: true
                );
                var progress = new LiveProgress(retry, shown.Add, PositionOf(token));
                while (await TryAsync(token, progress, cancellationToken) is { } failure)
                {
                    var plan = await replan();
                    if (plan.First > index)
                        break; // it broke after END, and ZFS has the snapshot
                    token = plan.Token;
                    progress.RestartAt(PositionOf(token));
                    await progress.WaitAsync(failure, cancellationToken);
                }

                if (retry.Retries > 0)
                    session.Detail($"{backup.SnapshotId}: its stream broke {retry.Retries} times");
                return true;
            },
            PositionOf(token)
        );

    private static long PositionOf(ResumeToken? token) => (long)(token?.Bytes ?? 0);

    /// <returns>Why it broke; null if it was received completely.</returns>
    private async Task<OperationException?> TryAsync(
        ResumeToken? token,
        LiveProgress progress,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await using var download = await LiveDownload.OpenAsync(session.Server, backup, token, cancellationToken);
            await zfs.RunAsync(
                isFirst: token is null,
                input => download.CopyToAsync(input, progress.Add, cancellationToken),
                cancellationToken
            );
            return null;
        }
        catch (OperationException e) when (e.Kind == FailureKind.Transient)
        {
            return e;
        }
    }
}
