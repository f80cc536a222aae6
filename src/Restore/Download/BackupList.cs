using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>The client's backups as <c>list</c> numbers them: newest first, starting at 1.</summary>
internal sealed class BackupList(IReadOnlyList<SnapshotInfo> backups)
{
    private readonly BackupChains _chains = new(backups);

    public IReadOnlyList<SnapshotInfo> Backups { get; } = backups;

    public static async Task<BackupList> FetchAsync(ApiClient server, CancellationToken cancellationToken) =>
        new(await server.GetSnapshotsAsync(cancellationToken));

    public SnapshotInfo Get(int number)
    {
        if (number >= 1 && number <= Backups.Count)
            return Backups[number - 1];
        throw new OperationException(
            ExitCode.NotFound,
            $"Backup number {number} does not exist.",
            Backups.Count == 0
                ? "No backups exist yet."
                : $"The numbers range from 1 to {Backups.Count}: see 'zfs-restore list'."
        );
    }

    /// <summary>The newest backup of one dataset, or of all if <paramref name="dataset"/> is null.</summary>
    public SnapshotInfo Newest(string? dataset) =>
        Backups.FirstOrDefault(b => dataset is null || b.DatasetName == dataset)
        ?? throw new OperationException(
            ExitCode.NotFound,
            dataset is null ? "No backups exist yet." : $"No backup of {dataset} exists.",
            "See 'zfs-restore list'."
        );

    /// <summary>The backups that must be received, in order, to restore <paramref name="target"/>.</summary>
    public IReadOnlyList<SnapshotInfo> ChainOf(SnapshotInfo target) =>
        _chains.Resolve(target)
        ?? throw new OperationException(
            ExitCode.Damaged,
            $"{target.SnapshotId} cannot be restored: a backup that it depends on is not on the server.",
            "Choose another backup from 'zfs-restore list'."
        );

    public int NumberOf(SnapshotInfo backup) => Backups.TakeWhile(b => b.SnapshotId != backup.SnapshotId).Count() + 1;
}
