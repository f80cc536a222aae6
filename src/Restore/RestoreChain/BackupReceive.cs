using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Receives one backup of a chain from the object store.</summary>
/// <param name="session">The server.</param>
/// <param name="backup">The backup.</param>
/// <param name="zfs">Receives it.</param>
internal sealed class BackupReceive(RestoreSession session, SnapshotInfo backup, SnapshotReceive zfs)
{
    /// <param name="token">Where an interrupted receive resumes; null: from the start.</param>
    public async Task RunAsync(ResumeToken? token, CancellationToken cancellationToken)
    {
        var stored = await StoredBackup.OpenAsync(session, backup, token, cancellationToken);
        var rest = stored.Rest;
        if (rest is not null)
            DescribeRemainder(rest);
        await TransferProgress.RunAsync(
            backup.SnapshotName,
            backup.SizeBytes,
            session.Output,
            async progress =>
            {
                await zfs.RunAsync(isFirst: token is null, input => WriteAsync(input, progress), cancellationToken);
                return true;
            },
            rest?.AlreadyBytes ?? 0
        );

        Task WriteAsync(Stream input, TransferProgress progress)
        {
            if (rest is not null)
                return stored.WriteRemainderAsync(input, progress, cancellationToken);
            return stored.ReadAsync(
                null,
                (slice, token) => input.WriteAsync(slice, token),
                progress,
                cancellationToken
            );
        }
    }

    private void DescribeRemainder(BackupRemainder rest)
    {
        if (rest.Runs is null)
            session.Detail("The whole backup must be read, because its parts are not cut at record boundaries");
        else
            session.Detail(
                $"{ByteSize.Format(rest.AlreadyBytes)} of {ByteSize.Format(backup.SizeBytes)} need not be fetched again"
            );
    }
}
