namespace ZfsSnapshotManager.Server.Audit;

/// <summary>The events of the audit log; docs/server.md lists them for users.</summary>
internal static class AuditEvents
{
    public const string ClientAdded = "client.added";
    public const string ClientChanged = "client.changed";
    public const string ClientKeyRotated = "client.key_rotated";
    public const string ClientDisabled = "client.disabled";
    public const string ClientEnabled = "client.enabled";
    public const string ClientRemoved = "client.removed";
    public const string BackupCommitted = "backup.committed";
    public const string BackupDownloaded = "backup.downloaded";
    public const string BackupsRotated = "backup.rotated";
    public const string BackupExpiring = "backup.expiring";
    public const string BackupDeleted = "backup.deleted";
    public const string BackupPinned = "backup.pinned";
    public const string BackupUnpinned = "backup.unpinned";
    public const string AuthFailed = "auth.failed";
}
