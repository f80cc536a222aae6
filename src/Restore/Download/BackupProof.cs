using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>What a backup must turn out to be when it is read, and how it is told that it does not.</summary>
internal sealed class BackupProof(SnapshotInfo backup)
{
    private const string Remedy =
        "'zfs-restore verify all' shows which backups are whole; send a new full backup soon.";

    /// <exception cref="OperationException">What was read is damaged (<see cref="ExitCode.Damaged"/>), or any other
    /// failure of <paramref name="read"/>.</exception>
    public async Task<T> RunAsync<T>(Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (SendStreamException e)
        {
            throw Damaged($"is damaged. {e.Message}", e);
        }
        catch (OperationException e) when (e.ExitCode == ExitCode.Damaged && (e.Remedy is null || e is ApiException))
        {
            throw Damaged($"is damaged. {e.Message}", e);
        }
    }

    /// <summary>That a stream is of the snapshot that was listed.</summary>
    public void CheckBegin(SnapshotStreamInfo begin)
    {
        if (begin.SnapshotGuid == backup.SnapshotGuid.Value && begin.BaseGuid == (backup.FromGuid?.Value ?? 0))
            return;
        throw Damaged(
            $"is not what the catalogue says: its stream holds the snapshot with GUID {begin.SnapshotGuid} from "
                + $"{begin.BaseGuid}, not {backup.SnapshotGuid} from {backup.FromGuid?.Value ?? 0}."
        );
    }

    /// <param name="fault">What is wrong with it, as the end of a sentence that begins with its name.</param>
    public OperationException Damaged(string fault, Exception? innerException = null) =>
        new(ExitCode.Damaged, $"{backup.SnapshotId} {fault}", Remedy, innerException);
}
