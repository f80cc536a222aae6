using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Which of a dataset's properties were restored.</summary>
internal sealed record RestoredProperties
{
    public required string Dataset { get; init; }

    public required IReadOnlyList<string> Set { get; init; }

    /// <summary>Those that ZFS refused to set, which nobody expects.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> Refused { get; init; } = [];

    /// <summary>Why others were not set, by name; with those that ZFS refused.</summary>
    public required IReadOnlyDictionary<string, string> Skipped { get; init; }

    /// <summary>The properties in which the dataset differs from its source; empty if that is not known.</summary>
    public required IReadOnlyList<PropertyDifference> Differences { get; init; }

    /// <summary>Why its properties are unknown; left out if they are known.</summary>
    public string? Fault { get; init; }
}
