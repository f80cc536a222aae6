using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Receives one backup of a chain from the object store.</summary>
/// <param name="session">The server.</param>
/// <param name="backup">What is received.</param>
/// <param name="zfs">Takes it.</param>
internal sealed class BackupReceive(RestoreSession session, SnapshotInfo backup, SnapshotReceive zfs)
{
    /// <param name="token">Where an interrupted receive goes on; null: it begins.</param>
    public async Task RunAsync(ResumeToken? token, CancellationToken cancellationToken)
    {
        var stored = await StoredBackup.OpenAsync(session, backup, token, cancellationToken);
        var rest = stored.Rest;
        if (rest is not null)
            session.Detail(
                rest.Runs is null
                    ? "All of it has to be read, since it is not stored in parts of whole records"
                    : $"{ByteSize.Format(rest.AlreadyBytes)} of {ByteSize.Format(backup.SizeBytes)} need not be "
                        + "fetched again"
            );
        await TransferProgress.RunAsync(
            backup.SnapshotName,
            backup.SizeBytes,
            session.Output,
            async progress =>
            {
                await zfs.RunAsync(
                    isFirst: token is null,
                    input =>
                        rest is not null
                            ? stored.WriteRestAsync(input, progress, cancellationToken)
                            : stored.ReadAsync(
                                null,
                                (slice, of) => input.WriteAsync(slice, of),
                                progress,
                                cancellationToken
                            ),
                    cancellationToken
                );
                return true;
            },
            rest?.AlreadyBytes ?? 0
        );
    }
}
