using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// A dataset that a command found and must not, or need not, work on; as it is printed with <c>--json</c>.
/// </summary>
public sealed record LeftOutDataset
{
    public required string Dataset { get; init; }

    /// <summary>Completes "left out, because".</summary>
    public required string Reason { get; init; }

    /// <summary>Whether only a property of the dataset asks for it, so that it could be worked on.</summary>
    [JsonIgnore]
    public bool IsByProperty { get; init; }
}
