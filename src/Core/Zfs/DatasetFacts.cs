using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A file system or volume on this machine, and what decides how it can be sent.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsVolume">A volume (zvol) rather than a file system.</param>
/// <param name="IsEncrypted">It is encrypted by ZFS, so that it can be sent raw.</param>
public sealed record DatasetFacts(DatasetName Name, bool IsVolume, bool IsEncrypted);
