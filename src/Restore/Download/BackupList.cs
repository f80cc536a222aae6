using System.Globalization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// The client's backups as <c>list</c> numbers them: newest first (<see cref="BackupOrder"/>), starting at 1.
/// </summary>
internal sealed class BackupList
{
    private readonly BackupChains _chains;
    private readonly BackupOrder _order;
    private readonly Dictionary<string, int> _numbers;

    /// <param name="backups">All backups of the client, in any order.</param>
    public BackupList(IReadOnlyList<SnapshotInfo> backups)
    {
        _chains = new BackupChains(backups);
        _order = new BackupOrder(backups, _chains);
        _numbers = new Dictionary<string, int>(backups.Count, StringComparer.Ordinal);
        foreach (var (index, backup) in Backups.Index())
            _numbers[backup.SnapshotId] = index + 1;
    }

    public IReadOnlyList<SnapshotInfo> Backups => _order.NewestFirst;

    /// <summary>Fetches it for a command that works on backups, which waits for a server that is away.</summary>
    public static async Task<BackupList> FetchAsync(RestoreSession session, CancellationToken cancellationToken)
    {
        var retry = ServerRetry.Create(session.Settings.RetryTime, session.Output, TimeProvider.System);
        return new BackupList(await retry.RunAsync(session.Server.GetSnapshotsAsync, cancellationToken));
    }

    /// <summary>Fetches it for a command that shows it: whoever reads that wants to know at once.</summary>
    public static async Task<BackupList> FetchNowAsync(ApiClient server, CancellationToken cancellationToken) =>
        new(await server.GetSnapshotsAsync(cancellationToken));

    /// <summary>
    /// Whether a backup's name is its number in the list, which is another one's as soon as a backup arrives.
    /// </summary>
    public static bool IsNumber(string name) => name.Length > 0 && name.All(char.IsAsciiDigit);

    /// <param name="name">The number in the list, the snapshot ID, or <c>dataset@snapshot</c>.</param>
    /// <exception cref="OperationException">No backup, or more than one, has this name.</exception>
    public SnapshotInfo Find(string name)
    {
        if (IsNumber(name))
            return Get(name);
        if (!BackupName.IsName(name))
            throw new OperationException(
                ExitCode.Usage,
                $"'{name}' does not name a backup.",
                "Name it by its number or snapshot ID in 'zfs-restore list', or as dataset@snapshot."
            );
        return BackupName.Find(name, Backups)
            ?? throw new OperationException(
                ExitCode.NotFound,
                $"The backup {name} does not exist.",
                Backups.Count == 0 ? "No backups exist yet." : "See 'zfs-restore list'."
            );
    }

    /// <summary>The backups that must be received, in order, to restore <paramref name="target"/>.</summary>
    public IReadOnlyList<SnapshotInfo> ChainOf(SnapshotInfo target) =>
        _chains.Resolve(target)
        ?? throw new OperationException(
            ExitCode.Damaged,
            $"{target.SnapshotId} cannot be restored: a backup that it depends on is not on the server.",
            "Choose another backup from 'zfs-restore list'."
        );

    /// <exception cref="OperationException">A backup that a restore of this one needs does not exist.</exception>
    public void DemandChain(SnapshotInfo backup)
    {
        if (!IsComplete(backup))
            ChainOf(backup);
    }

    /// <summary>Whether every backup exists that a restore of this one needs.</summary>
    public bool IsComplete(SnapshotInfo backup) => _chains.IsComplete(backup);

    public int NumberOf(SnapshotInfo backup) => _numbers[backup.SnapshotId];

    /// <summary>How a backup's own time proves that a clock was wrong; null if it does not.</summary>
    public string? FindClockFault(SnapshotInfo backup) => _order.FindClockFault(backup);

    private SnapshotInfo Get(string text)
    {
        if (
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= 1
            && number <= Backups.Count
        )
            return Backups[number - 1];
        throw new OperationException(
            ExitCode.NotFound,
            $"Backup number {text} does not exist.",
            Backups.Count == 0
                ? "No backups exist yet."
                : $"The numbers range from 1 to {Backups.Count}: see 'zfs-restore list'."
        );
    }
}
