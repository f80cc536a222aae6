using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Reads stored backups completely and verifies them: each part, the whole, the compression, every record, and that
/// they are what their manifests say.
/// </summary>
internal sealed class DeepCheck(BackupStore store, BackupCatalogue catalogue, ZfsHost zfs, Output output)
{
    private long _bytes;

    /// <param name="backups">Listed backups whose manifest and objects exist.</param>
    public async Task<(IReadOnlyList<CatalogueFinding> Findings, long BytesRead)> RunAsync(
        IReadOnlyList<ListedBackup> backups,
        CancellationToken cancellationToken
    )
    {
        List<CatalogueFinding> findings = [];
        foreach (var backup in backups)
        {
            var finding = await CheckAsync(backup, cancellationToken);
            if (finding is not null)
                findings.Add(finding);
            if (output.ShowsProgress || (!output.Json && finding is not null))
                await Console.Out.WriteLineAsync(
                    $"{backup.Info.SnapshotId}: {(finding is null ? "ok" : $"DAMAGED: {finding.Message}")}"
                );
        }

        return (findings, _bytes);
    }

    private async Task<CatalogueFinding?> CheckAsync(ListedBackup backup, CancellationToken cancellationToken)
    {
        var key = backup.Info.StorageKey;
        try
        {
            await TransferProgress.RunAsync(backup.Info.SnapshotId, backup.Info.SizeBytes, output, progress =>
                VerifyAsync(backup, progress, cancellationToken)
            );
            return null;
        }
        catch (Exception e) when (KindOf(e) is not null)
        {
            // A running server may have removed the backup while it was read.
            if (catalogue.Find(backup.ClientId, key) is null)
                return null;
            return CatalogueFinding.Of(
                KindOf(e)!,
                key,
                $"{e.Message} Restore the object from a copy of the store. Otherwise the backup, and backups that "
                    + "depend "
                    + "on it, cannot be restored: send a full backup."
            );
        }
    }

    /// <summary>Null for failures that are not damage of the backup, such as a store that does not answer.</summary>
    private static string? KindOf(Exception e) =>
        e switch
        {
            StorageException { Fault: StorageFault.Damaged } => FindingKind.PartDamaged,
            StorageException { Fault: StorageFault.Missing } => FindingKind.ObjectMissing,
            StorageException { Fault: StorageFault.Failed or StorageFault.Unreadable } => FindingKind.ObjectUnreadable,
            StorageException => null,
            SendStreamException or OperationException { ExitCode: ExitCode.Damaged } => FindingKind.StreamDamaged,
            _ => null,
        };

    private async Task<bool> VerifyAsync(
        ListedBackup backup,
        TransferProgress progress,
        CancellationToken cancellationToken
    )
    {
        if (backup.Info.IsLocal)
            return await VerifyLocalAsync(backup, progress, cancellationToken);
        var key = backup.Info.StorageKey;
        var (manifest, layout) = await store.ReadLayoutAsync(key, cancellationToken)
            ?? throw new StorageException(StorageFault.Missing, $"The manifest of {key} is no longer in the store.");
        await using var content = store.OpenRead(layout);
        using var stored = new StoredBytesReader(content, (block, _) =>
        {
            progress.Add(block.Length);
            _bytes += block.Length;
            return ValueTask.CompletedTask;
        });
        var format = StorageKey.FormatOf(key) ?? CompressionFormat.None;
        var facts = await StoredStreamDecoder.DecodeAsync(
            stored,
            format,
            onBegin: null,
            onVerified: null,
            cancellationToken
        );
        if (FindDifference(manifest, stored, facts) is { } difference)
            throw new OperationException(
                ExitCode.Damaged,
                $"The stream in {key} is valid, but not the one that was stored: {difference}."
            );
        return true;
    }

    /// <summary>
    /// ZFS verifies each block by its own checksum when it reads it. What it sends is verified as well.
    /// </summary>
    private async Task<bool> VerifyLocalAsync(
        ListedBackup backup,
        TransferProgress progress,
        CancellationToken cancellationToken
    )
    {
        await using var sending = zfs.StartSending([
            "send",
            .. ZfsDownloads.FlagsOf(backup.Info),
            backup.Info.StorageKey,
        ]);
        using var stored = new StoredBytesReader(
            sending.Output,
            (block, _) =>
            {
                progress.Add(block.Length);
                _bytes += block.Length;
                return ValueTask.CompletedTask;
            },
            digest: false
        );
        StreamInfo facts;
        try
        {
            facts = await StoredStreamDecoder.DecodeAsync(
                stored,
                CompressionFormat.None,
                onBegin: null,
                onVerified: null,
                cancellationToken
            );
            await sending.WaitForSuccessAsync(cancellationToken);
        }
        catch (Exception e) when (e is SendStreamException or ZfsException)
        {
            throw new OperationException(
                ExitCode.Damaged,
                $"ZFS cannot send {backup.Info.StorageKey}: {e.Message}",
                innerException: e
            );
        }

        if (facts.Begin.SnapshotGuid != backup.Info.SnapshotGuid.Value)
            throw new OperationException(
                ExitCode.Damaged,
                $"{backup.Info.StorageKey} has the GUID {facts.Begin.SnapshotGuid}, not {backup.Info.SnapshotGuid}."
            );
        return true;
    }

    private static string? FindDifference(Manifest manifest, StoredBytesReader stored, StreamInfo facts)
    {
        (string Name, string Found, string Said)[] compared =
        [
            ("sha256", stored.GetSha256(), manifest.Sha256 ?? stored.GetSha256()),
            ("stored_bytes", $"{stored.BytesRead}", $"{manifest.StoredBytes}"),
            ("stream_bytes", $"{facts.Length}", $"{manifest.StreamBytes}"),
            ("record_count", $"{facts.RecordCount}", $"{manifest.RecordCount}"),
            ("end_checksum", $"{facts.EndChecksum}", manifest.EndChecksum),
            ("snapshot_guid", $"{facts.Begin.SnapshotGuid}", $"{manifest.SnapshotGuid}"),
            ("from_guid", $"{facts.Begin.BaseGuid}", $"{manifest.FromGuid?.Value ?? 0}"),
            ("snapshot_name", facts.Begin.SnapshotName, manifest.SnapshotName),
            ("raw", $"{facts.Begin.IsRaw}", $"{manifest.Raw}"),
            ("features", string.Join(' ', facts.Begin.Features.Names()), string.Join(' ', manifest.Features)),
        ];
        var differences = compared
            .Where(field => field.Found != field.Said)
            .Select(field => $"{field.Name} is '{field.Found}', not '{field.Said}'")
            .ToList();
        return differences.Count == 0 ? null : string.Join("; ", differences);
    }
}
