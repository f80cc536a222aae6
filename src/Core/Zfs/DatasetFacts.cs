using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A file system or volume, and what decides how it can be sent.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsVolume">Whether it is a volume (zvol) and not a file system.</param>
/// <param name="IsEncrypted">Whether ZFS encrypts it, so that it can be sent raw.</param>
public sealed record DatasetFacts(DatasetName Name, bool IsVolume, bool IsEncrypted);
