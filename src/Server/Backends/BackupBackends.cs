using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>Chooses the backend that keeps a backup.</summary>
internal sealed class BackupBackends(ObjectBackend objects, ZfsBackend zfs)
{
    public IBackupBackend Of(SnapshotInfo backup) => backup.IsLocal ? zfs : objects;

    public IBackupBackend Of(Deletion deletion) => deletion.LocalGuid is null ? objects : zfs;
}
