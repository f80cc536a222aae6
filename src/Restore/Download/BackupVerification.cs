using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// Verifies one backup after another. The failure of one does not keep the others from being verified, also if the
/// server fails with it again and again; a server that cannot be reached, or refuses the key, does.
/// </summary>
/// <param name="list">The backups.</param>
/// <param name="read">Reads and verifies one; returns the number of its records.</param>
/// <param name="listAgain">Fetches the ids of the backups that exist now.</param>
internal sealed class BackupVerification(
    BackupList list,
    Func<SnapshotInfo, Task<long>> read,
    Func<Task<IReadOnlySet<string>>> listAgain
)
{
    private IReadOnlySet<string>? _existing;

    /// <exception cref="OperationException">The server cannot be reached or refuses all requests.</exception>
    public async Task<VerifiedBackup> RunAsync(SnapshotInfo backup)
    {
        try
        {
            list.DemandChain(backup);
            return VerifiedBackup.Valid(backup, await read(backup));
        }
        catch (OperationException e) when (e.Kind == FailureKind.Stream)
        {
            return VerifiedBackup.Failed(backup, VerifiedState.Damaged, e);
        }
        catch (ApiException e) when (e.Status == HttpStatusCode.NotFound)
        {
            // Verifying all backups may take days, and rotation continues meanwhile.
            return await IsDeletedAsync(backup)
                ? VerifiedBackup.Failed(backup, VerifiedState.Deleted, e)
                : VerifiedBackup.Failed(backup, VerifiedState.Failed, e);
        }
        catch (ApiException e) when (e.Status == HttpStatusCode.InternalServerError && e.Kind != FailureKind.User)
        {
            // All retries have failed. If the server answers other requests, this may be the only backup that it fails
            // with.
            if (!await CanListAsync())
                throw;
            return VerifiedBackup.Failed(backup, VerifiedState.Failed, e);
        }
        catch (OperationException e) when (e.Kind == FailureKind.Dataset)
        {
            return VerifiedBackup.Failed(backup, VerifiedState.Failed, e);
        }
    }

    private async Task<bool> CanListAsync()
    {
        try
        {
            _existing = await listAgain();
            return true;
        }
        catch (OperationException)
        {
            return false; // what is thrown is why the backup could not be read
        }
    }

    private async Task<bool> IsDeletedAsync(SnapshotInfo backup)
    {
        if (_existing is null || _existing.Contains(backup.SnapshotId))
            _existing = await listAgain();
        return !_existing.Contains(backup.SnapshotId);
    }
}
