using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>A backup that is no longer listed and still has to be deleted.</summary>
/// <param name="StorageKey">The object's key, or the snapshot's name.</param>
/// <param name="LocalGuid">The snapshot's GUID: another snapshot may have its name by then. Null for objects.</param>
internal readonly record struct Deletion(string StorageKey, SnapshotGuid? LocalGuid);
