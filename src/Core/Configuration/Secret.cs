namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>A value that does not appear in logs, errors or debugger views by accident.</summary>
public sealed class Secret(string value)
{
    /// <summary>The value itself; only for the code that uses it.</summary>
    public string Reveal() => value;

    public override string ToString() => "(redacted)";
}
