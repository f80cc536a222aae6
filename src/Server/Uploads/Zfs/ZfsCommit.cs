using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// Commits a snapshot that ZFS has received: first its note, then the catalogue. The note was recorded in the catalogue
/// before ZFS got the stream's END, so that <see cref="RecoverAsync"/> can finish the commit after a crash.
/// </summary>
internal sealed partial class ZfsCommit(
    BackupCatalogue catalogue,
    ClientDatasets datasets,
    ZfsHost zfs,
    TimeProvider time,
    ILogger<ZfsCommit> logger
)
{
    /// <exception cref="RequestException">It is already stored; the snapshot is removed again.</exception>
    public async Task<SnapshotInfo> RunAsync(UploadRecord upload, SnapshotName snapshot, SnapshotNote note)
    {
        var written = await SnapshotOfUpload.FindAsync(
            zfs,
            snapshot,
            note.Manifest.SnapshotGuid,
            CancellationToken.None
        )
            ?? throw new OperationException(
                ExitCode.ServerFailed,
                $"ZFS has received {snapshot}, but it is not the snapshot with GUID {note.Manifest.SnapshotGuid} "
                    + "that was sent.",
                "Report this: it should not be possible."
            );
        await CheckProtectedAsync(snapshot, note.Manifest);
        var whole = note with { Manifest = note.Manifest with { StoredBytes = written } };
        await WriteNoteAsync(snapshot, whole, CancellationToken.None);
        var backup = whole.ToSnapshotInfo(snapshot.ToString());
        var committedEvent = UploadEvents.Committed(upload, backup, time.GetUtcNow());
        if (!catalogue.Commit(upload, backup, committedEvent))
        {
            if (
                catalogue.Find(upload.ClientId, upload.SnapshotId) is { } committed
                && committed.StorageKey == backup.StorageKey
            )
                return committed;
            await SnapshotRemoval.DestroyAsync(zfs, snapshot, note.Manifest.SnapshotGuid, CancellationToken.None);
            throw StreamAdmission.Exists(upload.SnapshotId);
        }

        return backup;
    }

    /// <summary>Finishes the commit of an upload, if it was interrupted.</summary>
    /// <exception cref="OperationException">ZFS does not answer.</exception>
    public async Task<RecoveredUpload> RecoverAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        // If it is not there, it may still appear: the upload stays as it is until its next receive begins.
        if (await SnapshotOfUpload.FindAsync(zfs, upload, cancellationToken) is not { } received)
            return RecoveredUpload.Open;
        try
        {
            await RunAsync(upload, received.Snapshot, received.Note);
            return RecoveredUpload.Finished;
        }
        catch (RequestException)
        {
            return RecoveredUpload.Open; // another upload of the same snapshot was committed first
        }
    }

    /// <summary>
    /// A <c>zfs receive</c> that lacks the permission to set a property prints that and succeeds (tried on OpenZFS
    /// 2.3.2). A dataset that is not protected as it should be does not stay. On a dataset that existed before, an
    /// administrator may have changed properties on purpose.
    /// </summary>
    /// <exception cref="RequestException">It is not protected; the snapshot is removed again.</exception>
    private async Task CheckProtectedAsync(SnapshotName snapshot, Manifest manifest)
    {
        var snapshots = await zfs.ListSnapshotsAsync(snapshot.Dataset, CancellationToken.None);
        if (snapshots.Count(there => !there.Name.IsBookmark) > 1)
            return;
        var type = manifest.DatasetType == "volume" ? DatasetType.Volume : DatasetType.Filesystem;
        var wanted = ReceiveOptions
            .Of(type, manifest.ClientId, DatasetName.Parse(manifest.DatasetName))
            .ToHashSet(StringComparer.Ordinal);
        var names = string.Join(',', wanted.Select(option => option.Split('=', 2)[0]));
        var rows = await zfs.RunTableAsync(
            ["get", "-H", "-o", "property,value", names, snapshot.Dataset.Value],
            CancellationToken.None
        );
        wanted.ExceptWith(rows.Select(row => $"{row[0]}={row[1]}"));
        if (wanted.Count == 0)
            return;
        await SnapshotRemoval.DestroyAsync(zfs, snapshot, manifest.SnapshotGuid, CancellationToken.None);
        var fault = await datasets.FindLackAsync(ClientDatasets.Above(snapshot.Dataset), CancellationToken.None);
        throw new RequestException(
            StatusCodes.Status500InternalServerError,
            "receive_failed",
            $"The server's ZFS did not set {string.Join(", ", wanted.Order(StringComparer.Ordinal))} on the received "
                + "dataset, so it was destroyed.",
            $"On the server: {fault?.Remedy ?? "'zfs-server doctor' may say why."}",
            fault
        );
    }

    /// <summary>
    /// A note that is too long for ZFS is not written: the backup is valid, but a rebuilt catalogue does not list it.
    /// </summary>
    private async Task WriteNoteAsync(SnapshotName snapshot, SnapshotNote note, CancellationToken cancellationToken)
    {
        var fitting = note.Fit();
        var json = fitting.ToJson();
        if (fitting.Manifest.PropertiesLeftOut is { } names)
            LogPropertiesLeftOut(snapshot.ToString(), string.Join(", ", names));
        if (fitting.IsTooLong)
            LogNoNote(snapshot.ToString(), json.Length);
        else
            await zfs.RunAsync(["set", $"{ZfsStorageProperties.Note}={json}", snapshot.ToString()], cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning, "{Snapshot} has properties that are too long to be stored in ZFS: {Names}")]
    private partial void LogPropertiesLeftOut(string snapshot, string names);

    [LoggerMessage(
        LogLevel.Warning,
        "{Snapshot} has a manifest of {Length} bytes, more than ZFS accepts as a property: a rebuilt catalogue will "
            + "not list it"
    )]
    private partial void LogNoNote(string snapshot, int length);
}
