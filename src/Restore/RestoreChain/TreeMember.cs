using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>A descendant in a tree that is being restored, with what an earlier run has left of it.</summary>
/// <param name="session">Where <c>zfs</c> runs.</param>
/// <param name="name">Its name below the temporary name of the root, which the restore's mark protects.</param>
internal sealed class TreeMember(RestoreSession session, DatasetName name)
{
    private ZfsHost Zfs => session.Settings.Zfs;

    /// <summary>
    /// Whether an earlier run has completely restored it. If it did so from the beginning of a chain that has become
    /// longer since, the dataset gets its temporary name back, so that the rest can be received.
    /// </summary>
    /// <exception cref="OperationException">It holds something else.</exception>
    public async Task<bool> IsCompleteAsync(
        IReadOnlyList<SnapshotInfo> chain,
        IReadOnlyList<SnapshotInfo> all,
        CancellationToken cancellationToken
    )
    {
        if (!await Zfs.ExistsAsync(name, cancellationToken))
            return false;
        var received = await PartialDataset.ReadAsync(Zfs, name, cancellationToken);
        var plan = RestorePlan.Make(received, chain, all);
        if (plan is { Conflict: not null } or { Useless: not null } or { Dropped: not null })
            throw new OperationException(
                ExitCode.Conflict,
                $"{name} exists, and is not what this restore would receive: "
                    + $"{plan.Conflict ?? plan.Useless ?? plan.Dropped}.",
                $"If it is not needed: 'zfs destroy -r {name}'."
            );
        await new ForeignSnapshots(session).DestroyAsync(plan.Foreign, cancellationToken);
        if (plan.First < chain.Count)
        {
            await ReopenAsync(ChainDigest.Of(chain, plan.First), cancellationToken);
            return false;
        }

        // A run that was killed behind the last step leaves the mark; with it the dataset would not be backed up.
        if (received.IsMarked)
            await RestoreMarks.RemoveAsync(Zfs, name);
        return true;
    }

    /// <summary>
    /// Whether it has its final name and holds the backup; then its mark is removed, if an earlier run left it.
    /// </summary>
    public async Task<bool> IsFinishedAsync(SnapshotInfo backup, CancellationToken cancellationToken)
    {
        if (!await Zfs.ExistsAsync(name, cancellationToken))
            return false;
        var found = await PartialDataset.ReadAsync(Zfs, name, cancellationToken);
        if (!found.Has(backup.SnapshotGuid))
            return false;
        if (found.IsMarked)
            await RestoreMarks.RemoveAsync(Zfs, name);
        return true;
    }

    /// <summary>A dataset that was excluded from the backups may still be the parent of others.</summary>
    public async Task CreateParentsAsync(CancellationToken cancellationToken)
    {
        var parts = name.Value.Split('/');
        List<DatasetName> missing = [];
        for (var count = parts.Length - 1; count > 0; count--)
        {
            var parent = DatasetName.Parse(string.Join('/', parts.Take(count)));
            if (await Zfs.ExistsAsync(parent, cancellationToken))
                break;
            missing.Insert(0, parent);
        }

        foreach (var parent in missing)
            await Zfs.RunAsync(await CreationOfAsync(parent, cancellationToken), cancellationToken);
    }

    /// <summary>
    /// One at a time, without -p and -u: ZFS knows -u of create only since 2.1, and with canmount=off nothing is
    /// mounted anyway. Below an encrypted dataset whose key is not loaded, only an unencrypted one can be created; it
    /// holds no data.
    /// </summary>
    private async Task<string[]> CreationOfAsync(DatasetName parent, CancellationToken cancellationToken)
    {
        var above = DatasetName.Parse(parent.Value[..parent.Value.LastIndexOf('/')]);
        var encryption = await Zfs.GetEncryptionAsync(above, cancellationToken);
        string[] off = encryption.IsOff || encryption.IsKeyLoaded ? [] : ["-o", "encryption=off"];
        return ["create", "-o", "canmount=off", .. off, parent.Value];
    }

    /// <param name="received">The <see cref="ChainDigest"/> of what it holds.</param>
    private async Task ReopenAsync(string received, CancellationToken cancellationToken)
    {
        await RestoreMarks.NoteAsync(Zfs, name, received, cancellationToken);
        await Zfs.RunAsync(["set", $"{RestoreMarks.Mark}={RestoreMarks.Partial}", name.Value], cancellationToken);
        await Zfs.RenameAsync(name, TargetNames.PartialOf(name), cancellationToken);
    }
}
