namespace ZfsSnapshotManager.UnitTests.Architecture;

/// <summary>A place in one file that uses something declared in another file of the same project.</summary>
internal sealed record Dependency(string From, int Line, string Name, string On)
{
    public override string ToString() => $"{From}:{Line} uses {Name} of {On}";
}
