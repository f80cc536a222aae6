using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>What an earlier run left of a restore that was interrupted.</summary>
/// <param name="Received">The <see cref="ChainDigest"/> that run noted of what it was receiving; null if it noted
/// nothing.</param>
/// <param name="Snapshots">GUIDs of the completely received snapshots, oldest first.</param>
/// <param name="Token">Its property <c>receive_resume_token</c>; null if it has none.</param>
internal sealed record PartialDataset(string? Received, IReadOnlyList<SnapshotGuid> Snapshots, string? Token);
