namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// A dataset that a command found and must not, or need not, work on; as it is printed with <c>--json</c>.
/// </summary>
public sealed record LeftOutDataset
{
    public required string Dataset { get; init; }

    /// <summary>Completes "left out, because".</summary>
    public required string Reason { get; init; }
}
