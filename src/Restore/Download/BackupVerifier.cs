using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>Checks that what is read is the listed backup, and reports damage in its name.</summary>
internal sealed class BackupVerifier(SnapshotInfo backup)
{
    private const string Remedy =
        "'zfs-restore verify all' shows which backups are intact. Send a new full backup soon.";

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
        catch (OperationException e) when (e.Kind == FailureKind.Stream && (e.Remedy is null || e is ApiException))
        {
            throw Damaged($"is damaged. {e.Message}", e, e.Remedy);
        }
    }

    /// <summary>Checks that a stream is of the listed snapshot.</summary>
    public void CheckBegin(SnapshotStreamInfo begin)
    {
        var expectedFrom = backup.FromGuid?.Value ?? 0;
        if (begin.SnapshotGuid == backup.SnapshotGuid.Value && begin.BaseGuid == expectedFrom)
            return;
        throw Damaged(
            $"does not match the catalogue: its stream contains the snapshot with GUID {begin.SnapshotGuid} from "
                + $"{begin.BaseGuid}, not {backup.SnapshotGuid} from {expectedFrom}."
        );
    }

    /// <param name="fault">What is wrong, as the rest of a sentence that begins with the backup's id.</param>
    /// <param name="innerException">The cause.</param>
    /// <param name="remedy">What helps against the cause; null if nothing is known.</param>
    public OperationException Damaged(string fault, Exception? innerException = null, string? remedy = null) =>
        new(
            ExitCode.Damaged,
            $"{backup.SnapshotId} {fault}",
            remedy is null ? Remedy : $"{remedy} {Remedy}",
            innerException
        );
}
