namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>What the user asked <c>latest</c> for.</summary>
/// <param name="Target">The dataset to create.</param>
/// <param name="Source">The dataset whose backups are meant; null if the user named none.</param>
/// <param name="At">Snapshots made later are not meant; null: all are.</param>
/// <param name="Recursive">Whether descendants are restored as well.</param>
internal sealed record LatestRequest(string Target, string? Source, DateTimeOffset? At, bool Recursive);
