namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>How many of each class stay.</summary>
/// <remarks>Setters, not init: the JSON source generator would lose the defaults of what a file leaves out.</remarks>
public sealed record RotationPolicy
{
    public int KeepHourly { get; set; } = 24;

    public int KeepDaily { get; set; } = 7;

    public int KeepWeekly { get; set; } = 4;

    public int KeepMonthly { get; set; } = 12;

    /// <param name="type">A class; <see cref="SnapshotType.Manual"/> is none.</param>
    public int Keep(SnapshotType type) => type switch
    {
        SnapshotType.Hourly => KeepHourly,
        SnapshotType.Daily => KeepDaily,
        SnapshotType.Weekly => KeepWeekly,
        SnapshotType.Monthly => KeepMonthly,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "it is not a class of the policy"),
    };

    public override string ToString() => $"{KeepHourly} hourly, {KeepDaily} daily, {KeepWeekly} weekly, {KeepMonthly} monthly";
}
