using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore;

/// <summary>Reads one stored backup from the server and proves it on the way: size, digest, compression, every record, and that it is the snapshot that was listed.</summary>
internal static class BackupReader
{
    /// <param name="server">The server.</param>
    /// <param name="backup">What to read.</param>
    /// <param name="onStored">Gets the stored bytes, or null.</param>
    /// <param name="onStream">Gets the stream's bytes, each verified before, or null.</param>
    /// <param name="progress">Told of stored bytes as they come.</param>
    /// <exception cref="OperationException">The backup is not what was stored (<see cref="ExitCode.Damaged"/>), or the connection broke.</exception>
    public static async Task<StreamFacts> ReadAsync(
        ApiClient server, SnapshotInfo backup, StoredBytesReader.Sink? onStored, StoredStreamDecoder.SliceHandler? onStream, Action<long> progress, CancellationToken cancellationToken)
    {
        await using var download = new BackupDownload(server, backup);
        using var stored = new StoredBytesReader(download, async (block, token) =>
        {
            progress(block.Length);
            if (onStored is not null) await onStored(block, token).ConfigureAwait(false);
        });
        if (!CompressionFormats.TryParse(backup.Compression, out var compression)) throw new OperationException(ExitCode.Failure, $"{backup.SnapshotId} is compressed with {backup.Compression}, which this version does not know.", "Use a newer zfs-restore.");
        try
        {
            var facts = await StoredStreamDecoder.DecodeAsync(stored, compression, begin => CheckBegin(backup, begin), onStream, cancellationToken).ConfigureAwait(false);
            CheckWhole(backup, stored);
            return facts;
        }
        catch (SendStreamException e)
        {
            throw new OperationException(ExitCode.Damaged, $"{backup.SnapshotId} is damaged. {e.Message}", DamagedRemedy, e);
        }
        catch (OperationException e) when (e.ExitCode == ExitCode.Damaged && (e.Remedy is null || e is ApiException))
        {
            throw new OperationException(ExitCode.Damaged, $"{backup.SnapshotId} is damaged. {e.Message}", DamagedRemedy, e);
        }
    }

    private const string DamagedRemedy = "'zfs-restore verify all' shows which backups are whole; send a new full backup soon.";

    private static void CheckBegin(SnapshotInfo backup, BeginFacts begin)
    {
        if (begin.ToGuid == backup.SnapshotGuid.Value && begin.FromGuid == (backup.FromGuid?.Value ?? 0)) return;
        throw new OperationException(ExitCode.Damaged, $"{backup.SnapshotId} is not what the catalogue says: its stream holds the snapshot with GUID {begin.ToGuid} from {begin.FromGuid}, not {backup.SnapshotGuid} from {backup.FromGuid?.Value ?? 0}.", DamagedRemedy);
    }

    private static void CheckWhole(SnapshotInfo backup, StoredBytesReader stored)
    {
        if (stored.BytesRead == backup.SizeBytes && (backup.Sha256 is null || stored.GetSha256() == backup.Sha256)) return;
        throw new OperationException(ExitCode.Damaged, $"{backup.SnapshotId} holds a right stream, but not the bytes that were stored ({stored.BytesRead} bytes, expected {backup.SizeBytes}, or another SHA-256).", DamagedRemedy);
    }
}
