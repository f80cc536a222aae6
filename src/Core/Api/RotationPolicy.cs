using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>How many snapshots or backups of each class rotation keeps.</summary>
/// <remarks>
/// Setters, not init: with init properties the JSON source generator of .NET sets every property, and the defaults of
/// those that the JSON leaves out would be lost (dotnet/runtime#84484).
/// </remarks>
public sealed record RotationPolicy
{
    /// <summary>The most of one class, so that sums and lists stay within limits.</summary>
    public const int MaxKeep = 1_000_000;

    /// <summary>A month later the calendar ends.</summary>
    private static readonly DateTimeOffset LastWithSuccessor = DateTimeOffset.MaxValue.AddDays(-31);

    public int KeepHourly { get; set; } = 24;

    public int KeepDaily { get; set; } = 7;

    public int KeepWeekly { get; set; } = 4;

    public int KeepMonthly { get; set; } = 12;

    /// <param name="type">A class; <see cref="SnapshotType.Manual"/> is none.</param>
    public int Keep(SnapshotType type) =>
        type switch
        {
            SnapshotType.Hourly => KeepHourly,
            SnapshotType.Daily => KeepDaily,
            SnapshotType.Weekly => KeepWeekly,
            SnapshotType.Monthly => KeepMonthly,
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "it is not a class of the policy"),
        };

    /// <returns>What is wrong with the numbers; null if nothing is.</returns>
    public string? FindFault() =>
        SnapshotTypes
            .Classes.Where(type => Keep(type) is < 0 or > MaxKeep)
            .Select(type => $"keep_{type.ToText()} is {Keep(type)}; expected 0 to {MaxKeep}")
            .FirstOrDefault();

    /// <summary>
    /// When the next snapshot is due after the last one, by the finest class that keeps any; null if none does, or if
    /// the last one claims to be of the end of time: a send stream may name any moment.
    /// </summary>
    public DateTimeOffset? NextDue(DateTimeOffset last) =>
        last > LastWithSuccessor
            ? null
            : SnapshotTypes
                .Classes.Where(type => Keep(type) > 0)
                .Select(type =>
                    (DateTimeOffset?)(
                        type switch
                        {
                            SnapshotType.Hourly => last.AddHours(1),
                            SnapshotType.Daily => last.AddDays(1),
                            SnapshotType.Weekly => last.AddDays(7),
                            _ => last.AddMonths(1),
                        }
                    )
                )
                .FirstOrDefault();

    public override string ToString() =>
        $"{KeepHourly} hourly, {KeepDaily} daily, {KeepWeekly} weekly, {KeepMonthly} monthly";
}
