namespace ZfsSnapshotManager.SendStream.Advanced;

/// <summary>Consecutive parts of a stored stream. Immutable.</summary>
/// <param name="First">Number of the first part, counted from 0.</param>
/// <param name="Last">Number of the last part; not below <paramref name="First"/>.</param>
public readonly record struct PartRange(int First, int Last);
