namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>The decision of rotation on one snapshot or backup.</summary>
/// <param name="Item">The snapshot or backup.</param>
/// <param name="Keep">False: it may be deleted.</param>
/// <param name="Reason">Why, human-readable.</param>
public sealed record RotationDecision<T>(T Item, bool Keep, string Reason)
{
    /// <summary>Whether it is kept because another machine rotates its dataset.</summary>
    public bool IsOthers { get; init; }
}
