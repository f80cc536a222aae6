namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>What becomes of one snapshot or backup.</summary>
/// <param name="Item">The snapshot or backup.</param>
/// <param name="Keep">False: it may go.</param>
/// <param name="Reason">Why, for people.</param>
public sealed record RotationDecision<T>(T Item, bool Keep, string Reason);
