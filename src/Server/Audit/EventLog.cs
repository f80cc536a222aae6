using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>Tells events in the server's log: what changes what is stored.</summary>
internal sealed partial class EventLog(ILogger<EventLog> logger)
{
    public void Write(ServerEvent e)
    {
        switch (e.Event)
        {
            case ServerEvents.BackupCommitted when e.Actor == EventActor.Server:
                LogFinished(e.SnapshotId, e.ClientId);
                break;
            case ServerEvents.BackupCommitted:
                LogCommitted(e.SnapshotId, e.ClientId, Detail(e, "stored_bytes"), Detail(e, "stream_bytes"));
                break;
            case ServerEvents.BackupDeleted:
                LogDeleted(e.SnapshotId, e.ClientId, Detail(e, "stored_bytes"));
                break;
            case ServerEvents.UploadDropped when e.Actor == EventActor.Server:
                LogAbandoned(Detail(e, "upload_id"), e.ClientId, Detail(e, "dataset"));
                break;
            case ServerEvents.UploadDropped or ServerEvents.UploadReplaced:
                LogUpload(Detail(e, "upload_id"), e.ClientId, Detail(e, "dataset"), e.Event, e.Address);
                break;
            case ServerEvents.BackupPinned or ServerEvents.BackupUnpinned:
                LogPin(e.SnapshotId, e.ClientId, e.Event);
                break;
            default:
                break; // only in the audit log
        }
    }

    /// <summary>Tells of an event that is lost.</summary>
    /// <param name="number">Its number in the catalogue.</param>
    public void WriteUnreadable(long number) => LogUnreadable(number);

    private static string? Detail(ServerEvent e, string name) => e.Details?.GetValueOrDefault(name);

    [LoggerMessage(
        LogLevel.Information,
        "Committed {SnapshotId} of {ClientId}: {StoredBytes} bytes stored, {StreamBytes} bytes of stream"
    )]
    private partial void LogCommitted(string? snapshotId, string? clientId, string? storedBytes, string? streamBytes);

    [LoggerMessage(LogLevel.Warning, "Committed {SnapshotId} of {ClientId}, whose commit was interrupted")]
    private partial void LogFinished(string? snapshotId, string? clientId);

    [LoggerMessage(LogLevel.Information, "Deleted {SnapshotId} of {ClientId}: {StoredBytes} bytes")]
    private partial void LogDeleted(string? snapshotId, string? clientId, string? storedBytes);

    [LoggerMessage(
        LogLevel.Information,
        "Dropped upload {UploadId} of {ClientId} for {Dataset}: its client did not return"
    )]
    private partial void LogAbandoned(string? uploadId, string? clientId, string? dataset);

    [LoggerMessage(LogLevel.Information, "Upload {UploadId} of {ClientId} for {Dataset}: {Event} from {Address}")]
    private partial void LogUpload(string? uploadId, string? clientId, string? dataset, string @event, string? address);

    [LoggerMessage(LogLevel.Information, "{SnapshotId} of {ClientId}: {Event} by an administrator")]
    private partial void LogPin(string? snapshotId, string? clientId, string @event);

    [LoggerMessage(LogLevel.Error, "The event {Number} of the catalogue is damaged; the audit log will not have it")]
    private partial void LogUnreadable(long number);
}
