using CsCheck;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.UnitTests.Client.Upload;

namespace ZfsSnapshotManager.UnitTests.CommandLine;

public sealed class TransferLineTests
{
    private static readonly Gen<long> AnyBytes = Gen.OneOf(
        Gen.Long,
        Gen.Long[-1000, 1000],
        Gen.Int[0, 4].Select(place => new[] { 0, 1, -1, long.MinValue, long.MaxValue }[place])
    );

    [Theory]
    [InlineData(50, 0, 100L, 10, "x: 50 B, 5 B/s, 50% of about 100 B, 00:00:10 left")]
    [InlineData(1_000, 0, 400_000_000L, 10, "x: 1.0 kB, 100 B/s, 0% of about 400.0 MB")] // 46 days are no estimate
    [InlineData(100, 0, 17_000_100L, 1, "x: 100 B, 100 B/s, 0% of about 17.0 MB, 47:13:20 left")]
    [InlineData(50, 50, 100L, 10, "x: 50 B, 0 B/s, 50% of about 100 B")]
    [InlineData(40, 50, 100L, 10, "x: 40 B, 0 B/s, 40% of about 100 B")]
    [InlineData(312, 0, 10_000_000_000_000L, 40, "x: 312 B, 7 B/s, 0% of about 10.0 TB")]
    [InlineData(200, 0, 100L, 10, "x: 200 B, 20 B/s")]
    [InlineData(200, 0, null, 10, "x: 200 B, 20 B/s")]
    public void The_time_left_is_shown_if_there_is_a_rate(
        long bytes,
        long already,
        long? expected,
        int seconds,
        string line
    ) => Assert.Equal(line, TransferLine.Describe("x", bytes, already, expected, TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Any_numbers_have_a_line() =>
        Gen.Select(AnyBytes, AnyBytes, AnyBytes.Nullable(0.1), Gen.Long)
            .CheckDraws(draw =>
            {
                var (bytes, already, expected, ticks) = draw;
                var line = TransferLine.Describe("x", bytes, already, expected, TimeSpan.FromTicks(ticks));
                Assert.StartsWith("x: ", line, StringComparison.Ordinal);
                Assert.DoesNotContain("NaN", line, StringComparison.Ordinal);
                Assert.DoesNotContain("∞", line, StringComparison.Ordinal);
            });

    [Fact]
    public void Progress_never_throws() =>
        Gen.Select(AnyBytes, AnyBytes.Nullable(0.1), AnyBytes.Array[0, 20])
            .CheckDraws(
                (already, expected, steps) =>
                {
                    var time = new ManualTime();
                    using var lines = new StringWriter();
                    var progress = new TransferProgress("x", already, expected, null, lines: true, time, lines);
                    foreach (var bytes in steps)
                    {
                        time.Advance(TimeSpan.FromSeconds(11));
                        progress.Add(bytes);
                        progress.Wait(bytes % 2 == 0 ? null : "waiting for the server");
                    }

                    Assert.Equal(steps.Length, lines.ToString().Split('\n').Length - 1);
                }
            );
}
