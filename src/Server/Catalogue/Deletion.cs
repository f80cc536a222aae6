using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>A backup that is no longer listed and is still to be deleted.</summary>
/// <param name="StorageKey">The object's key, or the snapshot's name.</param>
/// <param name="LocalGuid">The snapshot's GUID, since another one may have got its name; null for objects.</param>
internal readonly record struct Deletion(string StorageKey, SnapshotGuid? LocalGuid);
