using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>A dataset whose chain is received.</summary>
/// <param name="Name">Its name at this moment.</param>
/// <param name="HasFinalName">Whether an earlier run has finished it, so that it may be in use.</param>
internal sealed record ReceivedDataset(DatasetName Name, bool HasFinalName);
