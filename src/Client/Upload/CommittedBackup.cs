using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>Whether the server has a backup of a snapshot after all: the answer to a commit may be lost.</summary>
/// <param name="Known">Whether the server could be asked.</param>
/// <param name="Backup">The backup, if it has it.</param>
internal readonly record struct CommittedBackup(bool Known, SnapshotInfo? Backup)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    public static async Task<CommittedBackup> FindAsync(ApiClient server, SnapshotGuid snapshot, TimeProvider time)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            var backups = await server.GetSnapshotsAsync(patience.Token);
            return new CommittedBackup(Known: true, backups.FirstOrDefault(b => b.SnapshotGuid == snapshot));
        }
        catch (Exception e) when (e is OperationException or OperationCanceledException)
        {
            return default;
        }
    }
}
