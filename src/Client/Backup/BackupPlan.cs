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

    public bool IsRaw => SendFlags.Contains(SendFlagPolicy.Raw);

    /// <param name="dataset">The dataset.</param>
    /// <param name="fullFlags">Flags with which a new chain would begin. If they are raw, only a raw chain can be
    /// continued; if they are not, only one that is not raw.</param>
    /// <param name="local">Snapshots and bookmarks of the dataset.</param>
    /// <param name="remote">All of the client's backups on the server.</param>
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

        var raw = fullFlags.Contains(SendFlagPolicy.Raw);
        var chains = new BackupChains(remote);
        if (FindBase(local, remote, chains, raw) is { } found)
        {
            if (mode == BackupMode.Automatic && maxChain > 0 && found.Incrementals >= maxChain)
                return Full($"the chain has {found.Incrementals} incrementals, and MAX_CHAIN is {maxChain}", fullFlags);
            return Incremental(found, fullFlags);
        }

        var why = ExplainMissingBase(dataset, raw, local, remote, chains);
        if (mode == BackupMode.Automatic)
            return Full(why, fullFlags);
        throw new OperationException(
            ExitCode.Conflict,
            $"An incremental backup needs a base, but {why}.",
            "Make a full backup first: zfs-client backup-full."
        );
    }

    private static BackupPlan Full(string reason, IReadOnlyList<string> flags) => new(null, null, flags, reason);

    private static BackupPlan Incremental(FoundBase found, IReadOnlyList<string> fullFlags)
    {
        var kind = found.Local.Name.IsBookmark ? "bookmark" : "snapshot";
        return new BackupPlan(
            found.Local,
            found.Backup,
            ContinuedFlags(found.Backup, fullFlags),
            $"{kind} {found.Local.Name} is the newest one that the server has a backup of"
        );
    }

    /// <summary>
    /// A backup that was uploaded without saying how it was sent has no flags. Then the flags are those of this kind of
    /// stream: raw as now, otherwise the ones that every version of this program has used.
    /// </summary>
    private static IReadOnlyList<string> ContinuedFlags(SnapshotInfo baseBackup, IReadOnlyList<string> fullFlags)
    {
        if (baseBackup.SendFlags.Count > 0)
            return baseBackup.SendFlags;
        return baseBackup.Raw ? fullFlags : ZfsSend.DefaultFlags;
    }

    private static string ExplainMissingBase(
        DatasetName dataset,
        bool raw,
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        BackupChains chains
    )
    {
        if (!remote.Any(backup => backup.DatasetName == dataset.Value))
            return "the server has no backup of this dataset yet";
        if (FindBase(local, remote, chains, !raw) is null)
            return "the server has no restorable backup of any local snapshot or bookmark";
        return raw
            ? "the chain on the server is not raw and this backup is, and the two never mix"
            : "the chain on the server is raw and this backup is not, and the two never mix";
    }

    /// <summary>
    /// Finds the newest snapshot or bookmark that is shared with the server; by transaction group, which does not
    /// depend on clocks. A bookmark is preferred to its snapshot, because it outlives the snapshot.
    /// </summary>
    private static FoundBase? FindBase(
        IReadOnlyCollection<LocalSnapshot> local,
        IReadOnlyCollection<SnapshotInfo> remote,
        BackupChains chains,
        bool raw
    )
    {
        var backups = remote.ToLookup(backup => backup.SnapshotGuid);
        foreach (var candidate in local.OrderByDescending(s => s.CreateTxg).ThenByDescending(s => s.Name.IsBookmark))
        {
            foreach (var backup in backups[candidate.Guid])
            {
                if (backup.Raw == raw && backup.CanBeBase != false && chains.IsComplete(backup))
                    return new FoundBase(candidate, backup, chains.LengthOf(backup) - 1);
            }
        }

        return null;
    }

    /// <param name="Incrementals">How many incrementals the base's chain has.</param>
    private sealed record FoundBase(LocalSnapshot Local, SnapshotInfo Backup, int Incrementals);
}
