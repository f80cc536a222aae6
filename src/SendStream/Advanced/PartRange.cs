namespace ZfsSnapshotManager.SendStream.Advanced;

/// <summary>Parts of a stream that follow each other.</summary>
/// <param name="First">The first, from 0.</param>
/// <param name="Last">The last.</param>
public readonly record struct PartRange(int First, int Last);
