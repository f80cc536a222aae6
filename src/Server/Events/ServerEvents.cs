namespace ZfsSnapshotManager.Server.Events;

/// <summary>
/// All events. Their names are stable: the audit log has them, docs/server.md lists them for users, and a unit test
/// compares both.
/// </summary>
internal static class ServerEvents
{
    public const string ClientAdded = "client.added";
    public const string ClientChanged = "client.changed";
    public const string ClientKeyRotated = "client.key_rotated";
    public const string ClientDisabled = "client.disabled";
    public const string ClientEnabled = "client.enabled";
    public const string ClientRemoved = "client.removed";
    public const string BackupCommitted = "backup.committed";
    public const string BackupDownloaded = "backup.downloaded";
    public const string ManifestRead = "backup.manifest_read";
    public const string BackupsRotated = "backup.rotated";
    public const string BackupExpiring = "backup.expiring";
    public const string BackupDeleted = "backup.deleted";
    public const string BackupPinned = "backup.pinned";
    public const string BackupUnpinned = "backup.unpinned";
    public const string UploadDropped = "upload.dropped";
    public const string UploadReplaced = "upload.replaced";
    public const string CatalogueRebuilt = "catalogue.rebuilt";
    public const string AuthFailed = "auth.failed";
}
