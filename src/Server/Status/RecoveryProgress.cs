namespace ZfsSnapshotManager.Server.Status;

/// <summary>What is still to be finished of what an earlier run of the server left; /ready says so.</summary>
internal sealed class RecoveryProgress
{
    /// <summary>Human-readable; null once it has ended.</summary>
    public string? Message { get; private set; } = "It begins in a moment.";

    public void Report(string message) => Message = message;

    public void End() => Message = null;
}
