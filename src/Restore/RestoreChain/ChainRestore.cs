using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Receives a chain of backups, the full one first, into a new dataset.</summary>
internal sealed class ChainRestore(RestoreSession session)
{
    private static readonly string[] CanMountOptions = ["-o", "canmount=noauto"];

    public async Task RestoreAsync(IReadOnlyList<SnapshotInfo> chain, DatasetName dataset, bool force, CancellationToken cancellationToken)
    {
        var target = await RestoreTarget.PrepareAsync(dataset, force, cancellationToken).ConfigureAwait(false);
        try
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (var (index, backup) in chain.Index())
            {
                session.Output.Note($"Restoring {index + 1} of {chain.Count}: {backup.SnapshotId}");
                var snapshot = SnapshotName.Snapshot(target.Partial, ChooseName(backup.SnapshotName, names));
                await ReceiveAsync(backup, snapshot, cancellationToken).ConfigureAwait(false);
            }

            await CheckGuidAsync(chain[^1], target.Partial, cancellationToken).ConfigureAwait(false);
            await target.FinishAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            await CleanUpAsync(target).ConfigureAwait(false);
            throw;
        }
    }

    private async Task ReceiveAsync(SnapshotInfo backup, SnapshotName snapshot, CancellationToken cancellationToken)
    {
        await using var zfs = ZfsProcess.Start(ReceiveArguments(backup, snapshot));
        try
        {
            await TransferProgress.RunAsync(backup.SnapshotName, backup.SizeBytes, session.Output, progress =>
                BackupReader.ReadAsync(session.Server, backup, null, (slice, token) => zfs.Input.WriteAsync(slice, token), progress.Add, cancellationToken)).ConfigureAwait(false);
            zfs.Input.Close();
        }
        catch (IOException)
        {
            // zfs receive closed its end: what it says is the cause, and is thrown below.
        }

        await zfs.WaitForSuccessAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Nothing is mounted (-u), neither now nor at the next boot (canmount=noauto): a restored dataset inherits a mountpoint from where it is
    /// put, and mounted there it could hide what is in use. Volumes have no canmount; children of a chain keep what the full one was given.
    /// </summary>
    private static string[] ReceiveArguments(SnapshotInfo backup, SnapshotName snapshot) =>
    [
        "receive", "-u",
        .. backup.IsIncremental ? [] : RestoreTarget.MarkOptions,
        .. backup is { IsIncremental: false, DatasetType: "filesystem" } ? CanMountOptions : [],
        snapshot.ToString(),
    ];

    /// <summary>Snapshots of a chain may have had the same name, one after another; in one dataset the later one needs another.</summary>
    private static string ChooseName(string name, HashSet<string> taken)
    {
        var chosen = name;
        for (var number = 2; !taken.Add(chosen); number++) chosen = $"{name}-{number}";
        return chosen;
    }

    private static async Task CheckGuidAsync(SnapshotInfo newest, DatasetName dataset, CancellationToken cancellationToken)
    {
        var snapshots = await ZfsDataset.ListSnapshotsAsync(dataset, cancellationToken).ConfigureAwait(false);
        SnapshotGuid? received = snapshots.Count > 0 ? snapshots[^1].Guid : null;
        if (received != newest.SnapshotGuid)
        {
            throw new OperationException(ExitCode.Damaged, $"zfs receive made a snapshot with the GUID {received?.ToString() ?? "(none)"}, not {newest.SnapshotGuid}.", "Please report this: it should not be possible.");
        }
    }

    private static async Task CleanUpAsync(RestoreTarget target)
    {
        try
        {
            await target.RemovePartialAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (OperationException e)
        {
            Output.Warn($"{target.Partial} could not be removed; the next restore of the same dataset tries again. {e.Message}");
        }
    }
}
