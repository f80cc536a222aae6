using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;

namespace ZfsSnapshotManager.Restore;

/// <summary>The client's backups as <c>list</c> numbers them: newest first, from 1.</summary>
internal sealed class BackupList(IReadOnlyList<SnapshotInfo> backups)
{
    private readonly BackupChains _chains = new(backups);

    public IReadOnlyList<SnapshotInfo> Backups { get; } = backups;

    public static async Task<BackupList> FetchAsync(ApiClient server, CancellationToken cancellationToken) =>
        new(await server.GetSnapshotsAsync(cancellationToken));

    public SnapshotInfo Get(int number) =>
        number >= 1 && number <= Backups.Count
            ? Backups[number - 1]
            : throw new OperationException(
                ExitCode.NotFound,
                $"There is no backup number {number}.",
                Backups.Count == 0
                    ? "There are no backups yet."
                    : $"The numbers go from 1 to {Backups.Count}: see 'zfs-restore list'."
            );

    /// <summary>The newest backup of all, or of one dataset.</summary>
    public SnapshotInfo Newest(string? dataset) =>
        Backups.FirstOrDefault(b => dataset is null || b.DatasetName == dataset)
        ?? throw new OperationException(
            ExitCode.NotFound,
            dataset is null ? "There are no backups yet." : $"There is no backup of {dataset}.",
            "See 'zfs-restore list'."
        );

    /// <summary>All that must be received, in order, to have <paramref name="target"/>.</summary>
    public IReadOnlyList<SnapshotInfo> ChainOf(SnapshotInfo target) =>
        _chains.Resolve(target)
        ?? throw new OperationException(
            ExitCode.Damaged,
            $"{target.SnapshotId} cannot be restored: a backup that it builds on is not on the server.",
            "Choose another backup from 'zfs-restore list'."
        );

    public int NumberOf(SnapshotInfo backup) => Backups.TakeWhile(b => b.SnapshotId != backup.SnapshotId).Count() + 1;
}
