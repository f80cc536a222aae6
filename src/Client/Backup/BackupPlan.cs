using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

internal enum BackupMode
{
    /// <summary>Incremental where a base is shared with the server, else full.</summary>
    Automatic,
    Full,
    Incremental,
}

/// <summary>What a backup will send. Decided from lists alone, without I/O.</summary>
/// <param name="Base">The bookmark or snapshot here that an incremental starts from; null for a full one.</param>
/// <param name="BaseBackup">The server's backup of it.</param>
/// <param name="SendFlags">Flags of <c>zfs send</c>: a chain keeps those it began with.</param>
/// <param name="Reason">Why it is full or incremental, for people.</param>
internal sealed record BackupPlan(
    LocalSnapshot? Base,
    SnapshotInfo? BaseBackup,
    IReadOnlyList<string> SendFlags,
    string Reason
)
{
    public bool IsIncremental => Base is not null;

    public bool IsRaw => SendFlags.Contains(Backup.SendFlags.Raw);

    /// <param name="dataset">The dataset.</param>
    /// <param name="fullFlags">With which a chain would begin now; whether they are raw also says which chains can go
    /// on.</param>
    /// <param name="local">Snapshots and bookmarks of the dataset.</param>
    /// <param name="remote">All of the client's backups on the server.</param>
    /// <param name="maxChain">Incrementals upon a full one before the next full one is made; 0: any number.</param>
    /// <exception cref="OperationException">An incremental is asked for and there is no base.</exception>
    public static BackupPlan Make(
        BackupMode mode,
        DatasetName dataset,
        IReadOnlyList<string> fullFlags,
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        int maxChain
    )
    {
        if (mode == BackupMode.Full)
            return Full("a full backup was asked for", fullFlags);
        var raw = fullFlags.Contains(Backup.SendFlags.Raw);
        var chains = new BackupChains(remote);
        if (FindBase(local, remote, chains, raw) is { } found)
        {
            var incrementals = chains.LengthOf(found.Backup) - 1;
            if (mode == BackupMode.Automatic && maxChain > 0 && incrementals >= maxChain)
                return Full($"the chain has {incrementals} incrementals, and MAX_CHAIN is {maxChain}", fullFlags);
            var flags =
                found.Backup.SendFlags.Count > 0 ? found.Backup.SendFlags
                : raw ? fullFlags
                : ZfsSend.DefaultFlags;
            return new BackupPlan(
                found.Local,
                found.Backup,
                flags,
                $"{(found.Local.Name.IsBookmark ? "bookmark" : "snapshot")} {found.Local.Name} is the newest that "
                    + "the server has a backup of"
            );
        }

        var why =
            !remote.Any(b => b.DatasetName == dataset.Value) ? "the server has no backup of this dataset yet"
            : FindBase(local, remote, chains, !raw) is not null
                ? $"the chain on the server is {(raw ? "not raw" : "raw")} and this backup "
                    + $"{(raw ? "is" : "is not")}, and the two never mix"
            : "no snapshot or bookmark here is one that the server has a restorable backup of";
        return mode == BackupMode.Automatic
            ? Full(why, fullFlags)
            : throw new OperationException(
                ExitCode.Conflict,
                $"An incremental backup needs a base, but {why}.",
                "Make a full backup first: zfs-client backup-full."
            );
    }

    private static BackupPlan Full(string reason, IReadOnlyList<string> flags) => new(null, null, flags, reason);

    /// <summary>
    /// The newest shared one; by transaction group, which no clock can disorder. Of a snapshot and its bookmark the
    /// bookmark is taken: it stays when the snapshot goes.
    /// </summary>
    private static (LocalSnapshot Local, SnapshotInfo Backup)? FindBase(
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        BackupChains chains,
        bool raw
    )
    {
        var backups = remote.ToLookup(b => b.SnapshotGuid);
        foreach (var candidate in local.OrderByDescending(s => s.CreateTxg).ThenByDescending(s => s.Name.IsBookmark))
        {
            var backup = backups[candidate.Guid]
                .FirstOrDefault(b => b.Raw == raw && b.CanBeBase != false && chains.IsComplete(b));
            if (backup is not null)
                return (candidate, backup);
        }

        return null;
    }
}
