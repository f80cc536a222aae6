using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// The dataset that a restore creates. Everything is received under a temporary name beside it and is renamed only when
/// it is complete: the target is never half restored, and with <c>--force</c> the old dataset exists until the new one
/// does.
/// </summary>
internal sealed class RestoreTarget
{
    private readonly ZfsHost _zfs;
    private readonly TargetNames _names;
    private readonly DatasetReplacement _replacement;

    private RestoreTarget(RestoreSession session, TargetNames names, bool exists)
    {
        (_zfs, _names, Exists) = (session.Settings.Zfs, names, exists);
        _replacement = new DatasetReplacement(_zfs, session.Output, names);
    }

    public DatasetName Name => _names.Final;

    /// <summary>The name under which streams are received.</summary>
    public DatasetName Partial => _names.Partial;

    /// <summary>Whether a dataset is replaced.</summary>
    public bool Exists { get; }

    /// <param name="names">The names that play a role.</param>
    /// <param name="backup">What is restored.</param>
    /// <param name="options">What was asked for.</param>
    /// <exception cref="OperationException">The target exists and must not be replaced, or cannot be.</exception>
    public static async Task<RestoreTarget> PrepareAsync(
        RestoreSession session,
        TargetNames names,
        SnapshotInfo backup,
        RestoreOptions options,
        CancellationToken cancellationToken
    )
    {
        if (names.Final.IsPool)
            throw new OperationException(
                ExitCode.Conflict,
                $"{names.Final} is a pool.",
                $"Restore into a dataset below it, such as {names.Final}/restored."
            );
        var zfs = session.Settings.Zfs;
        var exists = await zfs.ExistsAsync(names.Final, cancellationToken);
        if (exists && !options.Force)
            throw await AlreadyExistsAsync(zfs, names.Final, cancellationToken);
        if (exists && !options.IsNamed && backup.DatasetName != names.Final.Value)
            throw IsOfAnother(names.Final, backup);
        var target = new RestoreTarget(session, names, exists);
        await target.CheckNothingSetAsideAsync(cancellationToken);
        if (exists)
            await target._replacement.CheckAsync(options.Members, cancellationToken);
        await ReceivingProcess.WaitForEndAsync(zfs, target.Partial, cancellationToken);
        return target;
    }

    /// <summary>Finds what was received so far, by this run or an earlier one; null if nothing.</summary>
    /// <exception cref="OperationException">A dataset has that name, but was not created by a restore.</exception>
    public async Task<PartialDataset?> FindPartialAsync(CancellationToken cancellationToken)
    {
        if (!await _zfs.ExistsAsync(Partial, cancellationToken))
            return null;
        var partial = await PartialDataset.ReadAsync(_zfs, Partial, cancellationToken);
        if (!partial.IsMarked)
            throw new OperationException(
                ExitCode.Conflict,
                $"{Partial} exists, but was not created by a restore.",
                $"Restore to another name, or rename {Partial}: a restore receives under that name."
            );
        return partial;
    }

    /// <summary>Notes on the existing dataset what is received next.</summary>
    public Task NoteAsync(string received, CancellationToken cancellationToken) =>
        RestoreMarks.NoteAsync(_zfs, Partial, received, cancellationToken);

    /// <summary>Gives the received dataset its final name. An old dataset of that name is destroyed.</summary>
    /// <param name="restored">Properties that it has from its backup.</param>
    public async Task FinishAsync(IReadOnlyCollection<string> restored, CancellationToken cancellationToken)
    {
        await RestoreMarks.RemoveTemporaryAsync(_zfs, Partial, restored, cancellationToken);
        if (Exists)
            await _replacement.ExchangeAsync(cancellationToken);
        else
            await _zfs.RenameAsync(Partial, Name, cancellationToken);
        try
        {
            if (Exists)
                await _replacement.ClearAsync();
            await RestoreMarks.RemoveAsync(_zfs, Name);
        }
        catch (OperationException e)
        {
            throw new OperationException(
                e.ExitCode,
                $"{Name} is restored, but still has marks of the restore: {e.Message}",
                "Run the same command again: it removes them and receives nothing. Until then zfs-client leaves "
                    + $"{Name} out.",
                e,
                e.Kind
            );
        }
    }

    /// <summary>Drops the part of a snapshot that was received. The complete snapshots stay.</summary>
    public Task DropPartAsync(CancellationToken cancellationToken) =>
        _zfs.RunAsync(["receive", "-A", Partial.Value], cancellationToken);

    /// <summary>Removes what was received so far.</summary>
    /// <exception cref="OperationException">A dataset has that name, but was not created by a restore.</exception>
    public async Task RemovePartialAsync(CancellationToken cancellationToken)
    {
        if (await FindPartialAsync(cancellationToken) is null)
            return;
        await _zfs.RunAsync(["destroy", "-r", Partial.Value], cancellationToken);
    }

    /// <summary>A dataset that an earlier restore completed may still have its mark, and is not backed up.</summary>
    private static async Task<OperationException> AlreadyExistsAsync(
        ZfsHost zfs,
        DatasetName name,
        CancellationToken cancellationToken
    )
    {
        var found = await PartialDataset.ReadAsync(zfs, name, cancellationToken);
        var marked = found.IsMarked
            ? " It has the mark of an earlier restore of another backup, which was interrupted when it was complete; "
                + $"to remove that, so that zfs-client backs it up: zfs inherit {RestoreMarks.Mark} '{name}'"
            : "";
        return new OperationException(
            ExitCode.Conflict,
            $"{name} already exists.",
            $"Choose another dataset, or use --force to replace it.{marked}"
        );
    }

    /// <summary>
    /// A number is another backup's as soon as one arrives, and the newest backup may be of any dataset: neither says
    /// enough to destroy a dataset of another name.
    /// </summary>
    private static OperationException IsOfAnother(DatasetName name, SnapshotInfo backup) =>
        new(
            ExitCode.Conflict,
            $"{name} exists, and {backup.SnapshotId} is a backup of {backup.DatasetName}: nothing is replaced.",
            "If that is what you want, name the backup so that no other can be meant: zfs-restore restore "
                + $"{backup.SnapshotId} {name} --force"
        );

    /// <summary>
    /// A restore that cannot destroy the old dataset leaves it under another name. What a killed one left is done
    /// before (<see cref="EarlierRun"/>). Only its owner can decide whether it may be destroyed.
    /// </summary>
    private async Task CheckNothingSetAsideAsync(CancellationToken cancellationToken)
    {
        var (replaced, name) = (_names.Replaced, Name);
        if (!await _zfs.ExistsAsync(replaced, cancellationToken))
            return;
        throw new OperationException(
            ExitCode.Conflict,
            $"{replaced} exists: it is the dataset that an earlier restore with --force replaced, and did not destroy "
                + "because it was in use, held or had a clone.",
            $"To keep it: 'zfs rename {replaced} {name}'{(Exists ? $" (after {name} is renamed or destroyed)" : "")}. "
                + $"If it is no longer needed: 'zfs destroy -r {replaced}'. Then try again."
        );
    }
}
