namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>A value that no log, error or debugger view shows by accident.</summary>
public sealed class Secret(string value)
{
    /// <summary>The value itself; ask for it only where it is used.</summary>
    public string Reveal() => value;

    public override string ToString() => "(redacted)";
}
