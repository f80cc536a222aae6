using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

internal enum BackupMode
{
    /// <summary>Incremental if a base is shared with the server, otherwise full.</summary>
    Automatic,
    Full,
    Incremental,
}

/// <summary>What a backup will send. A pure function of lists, without I/O.</summary>
/// <param name="Base">The local bookmark or snapshot on which an incremental is based; null for a full backup.</param>
/// <param name="BaseBackup">The server's backup of the base.</param>
/// <param name="SendFlags">Flags of <c>zfs send</c>: a chain keeps those it began with.</param>
/// <param name="Reason">Why the backup is full or incremental, human-readable.</param>
internal sealed record BackupPlan(
    LocalSnapshot? Base,
    SnapshotInfo? BaseBackup,
    IReadOnlyList<string> SendFlags,
    string Reason
)
{
    public bool IsIncremental => Base is not null;

    public bool IsRaw => SendFlags.Contains(ZfsSend.Raw);

    /// <param name="dataset">The dataset.</param>
    /// <param name="fullFlags">Flags with which a new chain would begin. If they are raw, only a raw chain can be
    /// continued; if they are not, only one that is not raw.</param>
    /// <param name="local">Snapshots and bookmarks of the dataset.</param>
    /// <param name="remote">The client's backups of the dataset and of its snapshots, with all that they build
    /// on.</param>
    /// <param name="maxChain">Incrementals after which a new full backup is made; 0: no limit.</param>
    /// <exception cref="OperationException">An incremental was requested and no base exists.</exception>
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
            return Full("a full backup was requested", fullFlags);

        var chains = new BackupChains(remote);
        if (FindBase(local, remote, chains, fullFlags) is { } found)
        {
            if (mode == BackupMode.Automatic && maxChain > 0 && found.Incrementals >= maxChain)
                return Full($"the chain has {found.Incrementals} incrementals, and MAX_CHAIN is {maxChain}", fullFlags);
            return Incremental(found);
        }

        var why = ExplainMissingBase(dataset, fullFlags, local, remote, chains);
        if (mode == BackupMode.Automatic)
            return Full(why, fullFlags);
        throw new OperationException(
            ExitCode.Conflict,
            $"An incremental backup needs a base, but {why}.",
            "Make a full backup first: zfs-client backup-full."
        );
    }

    private static BackupPlan Full(string reason, IReadOnlyList<string> flags) => new(null, null, flags, reason);

    private static BackupPlan Incremental(FoundBase found)
    {
        var kind = found.Local.Name.IsBookmark ? "bookmark" : "snapshot";
        return new BackupPlan(
            found.Local,
            found.Backup,
            found.Flags,
            $"{kind} {found.Local.Name} is the newest one that the server has a backup of"
        );
    }

    private static string ExplainMissingBase(
        DatasetName dataset,
        IReadOnlyList<string> fullFlags,
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        BackupChains chains
    )
    {
        if (!remote.Any(backup => backup.DatasetName == dataset.Value))
            return "the server has no backup of this dataset yet";
        var raw = fullFlags.Contains(ZfsSend.Raw);
        var shared = FindShared(local, remote, chains).ToList();
        if (shared.Find(pair => pair.Backup.Raw == raw).Backup is { } continuable)
            return $"the chain on the server cannot be continued: "
                + SendFlagPolicy.Continue(continuable.SendFlags, fullFlags).Obstacle;
        if (shared.Count == 0)
            return "the server has no restorable backup of any local snapshot or bookmark";
        return raw
            ? "the chain on the server is not raw and this backup is, and the two never mix"
            : "the chain on the server is raw and this backup is not, and the two never mix";
    }

    private static FoundBase? FindBase(
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        BackupChains chains,
        IReadOnlyList<string> fullFlags
    )
    {
        var raw = fullFlags.Contains(ZfsSend.Raw);
        foreach (var (candidate, backup) in FindShared(local, remote, chains))
        {
            if (backup.Raw == raw && SendFlagPolicy.Continue(backup.SendFlags, fullFlags).Flags is { } flags)
                return new FoundBase(candidate, backup, flags, chains.LengthOf(backup) - 1);
        }

        return null;
    }

    /// <summary>
    /// Finds the snapshots and bookmarks that are shared with the server, the newest first; by transaction group, which
    /// does not depend on clocks. A snapshot is preferred to its bookmark: only the snapshot is
    /// surely in the dataset's history (a bookmark survives <c>zfs receive -F</c>, which rolls its snapshot back;
    /// OpenZFS dsl_bookmark.c, dsl_bookmark_lookup, compares transaction groups only), it has the set of initialization
    /// vectors that a raw incremental needs and a bookmark of ZFS before 2.1.6 may lack (openzfs#14967), and ZFS
    /// estimates from it at once.
    /// </summary>
    private static IEnumerable<(LocalSnapshot Local, SnapshotInfo Backup)> FindShared(
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        BackupChains chains
    )
    {
        var backups = remote.ToLookup(backup => backup.SnapshotGuid);
        return from candidate in local.OrderByDescending(s => s.CreateTxg).ThenBy(s => s.Name.IsBookmark)
            from backup in backups[candidate.Guid]
            where backup.CanBeBase != false && chains.IsComplete(backup)
            select (candidate, backup);
    }

    /// <param name="Flags">With which the chain is continued.</param>
    /// <param name="Incrementals">How many incrementals the base's chain has.</param>
    private sealed record FoundBase(
        LocalSnapshot Local,
        SnapshotInfo Backup,
        IReadOnlyList<string> Flags,
        int Incrementals
    );
}
