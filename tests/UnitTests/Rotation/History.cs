using CsCheck;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Rotation;

/// <summary>
/// Backups as they accumulate over years: several datasets, chains of any length, fulls between, wrong clocks, pins and
/// locks.
/// </summary>
internal static class History
{
    public static readonly DateTimeOffset Now = new(2026, 6, 15, 12, 0, 0, TimeSpan.Zero);

    public static Gen<RotationPolicy> Policies { get; } =
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 4], Gen.Int[0, 3], Gen.Int[0, 3], (hourly, daily, weekly, monthly) =>
            new RotationPolicy
            {
                KeepHourly = hourly,
                KeepDaily = daily,
                KeepWeekly = weekly,
                KeepMonthly = monthly,
            }
        );

    public static Gen<SnapshotInfo[]> Histories { get; } = Steps().Array[0, 40].Select(Build);

    public static SnapshotInfo Backup(
        ulong guid,
        ulong? from,
        DateTimeOffset time,
        SnapshotType type = SnapshotType.Manual,
        string dataset = "tank/data"
    ) =>
        (from is { } known ? Backups.Incremental(guid, known, dataset) : Backups.Full(guid, dataset)) with
        {
            Timestamp = time,
            ReceivedAt = time,
            SnapshotType = type,
        };

    private static Gen<Step> Steps() =>
        Gen.Select(
            Gen.Int[0, 2],
            Gen.Int[0, 60 * 24 * 20],
            Gen.Enum<SnapshotType>(),
            Gen.Int[0, 5],
            Gen.Frequency((12, Gen.Const(0)), (1, Gen.Int[-400, 400])),
            Gen.Frequency((12, Gen.Const(0)), (1, Gen.Int[1, 3])),
            (dataset, minutes, type, back, clockDays, mark) => new Step(dataset, minutes, type, back, clockDays, mark)
        );

    private static SnapshotInfo[] Build(Step[] steps)
    {
        var chains = new List<SnapshotInfo>[3];
        for (var index = 0; index < chains.Length; index++)
            chains[index] = [];
        var received = Now.AddMinutes(-steps.Sum(step => step.Minutes));
        var all = new List<SnapshotInfo>();
        foreach (var step in steps)
        {
            received = received.AddMinutes(step.Minutes);
            var chain = chains[step.Dataset];
            var from =
                step.Back == 0 || chain.Count == 0
                    ? (ulong?)null
                    : chain[Math.Max(0, chain.Count - step.Back)].SnapshotGuid.Value;
            var backup = Backup((ulong)all.Count + 1, from, received, step.Type, $"tank/{step.Dataset}") with
            {
                Timestamp = received.AddDays(step.ClockDays),
                Pinned = step.Mark == 1,
                LockedUntil =
                    step.Mark == 2 ? Now.AddDays(3)
                    : step.Mark == 3 ? Now.AddDays(-3)
                    : null,
            };
            chain.Add(backup);
            all.Add(backup);
        }

        return [.. all];
    }

    private sealed record Step(int Dataset, int Minutes, SnapshotType Type, int Back, int ClockDays, int Mark);
}
