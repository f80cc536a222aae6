using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>What an earlier run left of a restore that did not end.</summary>
/// <param name="Received">What that run noted it was receiving: a <see cref="ChainDigest"/>; null where it noted
/// nothing.</param>
/// <param name="Snapshots">Those that are whole, oldest first.</param>
/// <param name="Token">Its property <c>receive_resume_token</c>; null where it has none.</param>
internal sealed record PartialDataset(string? Received, IReadOnlyList<SnapshotGuid> Snapshots, string? Token);
