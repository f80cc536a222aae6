using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// <c>./demo</c>, which the README names first, runs to its end. It needs a machine of its own, since it is also how a
/// newcomer's first minutes go.
/// </summary>
public sealed class DemoTests
{
    private const double MostSeconds = 1800; // it builds a machine with ZFS where there is none

    [Fact]
    public async Task The_demo_does_all_that_it_says()
    {
        var demo = await Command.RunAsync(Path.Combine(Repository.Root, "demo"), [], seconds: MostSeconds);

        demo.MustSucceed();
        Assert.EndsWith("demo: ok\n", demo.Output, StringComparison.Ordinal);
    }
}
