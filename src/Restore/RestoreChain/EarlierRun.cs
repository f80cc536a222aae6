using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// An earlier run whose restore was complete, and which was killed in its last steps: while it replaced the target, or
/// before it had removed its marks. These steps are done now. What it completed is never replaced by the same run: it
/// may be in use since.
/// </summary>
internal sealed class EarlierRun(RestoreSession session, TargetNames names)
{
    private readonly DatasetReplacement _replacement = new(session.Settings.Zfs, session.Output, names);

    private ZfsHost Zfs => session.Settings.Zfs;

    /// <param name="backup">What is asked for now.</param>
    /// <param name="force">Whether an existing dataset may be replaced.</param>
    /// <returns>Whether the target is what is asked for; false: there was nothing to complete.</returns>
    /// <exception cref="OperationException">The replacement must not be completed without <c>--force</c>, or was
    /// completed and is not what is asked for now.</exception>
    public async Task<bool> CompleteAsync(SnapshotInfo backup, bool force, CancellationToken cancellationToken)
    {
        if (names.Final.IsPool)
            return false;
        if (await _replacement.IsInterruptedAsync(cancellationToken))
            return await CompleteReplacementAsync(backup, force, cancellationToken);
        if (!await Zfs.ExistsAsync(names.Final, cancellationToken))
            return false;
        var found = await PartialDataset.ReadAsync(Zfs, names.Final, cancellationToken);
        if (!found.IsMarked || !found.Has(backup.SnapshotGuid))
            return false;
        session.Output.Note(
            $"An earlier restore to {names.Final} was interrupted when it was complete. Its marks are removed now."
        );
        await RestoreMarks.RemoveAsync(Zfs, names.Final);
        return true;
    }

    private async Task<bool> CompleteReplacementAsync(
        SnapshotInfo backup,
        bool force,
        CancellationToken cancellationToken
    )
    {
        if (!force)
            throw new OperationException(
                ExitCode.Conflict,
                $"An earlier restore was interrupted while it replaced {names.Final}. The restored dataset is "
                    + "complete.",
                $"To finish that, run the command with --force. {await DescribeWayBackAsync(cancellationToken)}"
            );
        await _replacement.CompleteInterruptedAsync(cancellationToken);
        var found = await PartialDataset.ReadAsync(Zfs, names.Final, CancellationToken.None);
        await _replacement.ClearAsync();
        await RestoreMarks.RemoveAsync(Zfs, names.Final);
        if (found.Has(backup.SnapshotGuid))
            return true;
        throw new OperationException(
            ExitCode.Conflict,
            $"The earlier restore to {names.Final} is finished, and it was of another backup: it has no snapshot with "
                + $"the GUID of {backup.SnapshotId}. Nothing else was changed.",
            $"If you want to replace {names.Final} again, with all that was written to it since, run the same command "
                + "again."
        );
    }

    private async Task<string> DescribeWayBackAsync(CancellationToken cancellationToken) =>
        await Zfs.ExistsAsync(names.Replaced, cancellationToken)
            ? $"To go back to the old dataset, destroy or rename {names.Final} if it exists, and run: zfs rename "
                + $"'{names.Replaced}' '{names.Final}'"
            : "The old dataset was already destroyed.";
}
