using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.UnitTests.Client;

public sealed class LeftOutBackupsTests
{
    private static readonly DateTimeOffset Noon = new(2026, 2, 13, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Those_that_a_property_leaves_out_and_that_have_backups_are_named_with_the_newest_time()
    {
        LeftOutDataset[] leftOut = [LeftOut("tank/a"), LeftOut("tank/new"), LeftOut("tank/b")];

        var warning = LeftOutBackups.Describe(leftOut, dataset => dataset switch
            {
                "tank/a" => Noon,
                "tank/b" => Noon.AddHours(1),
                _ => null,
            });

        Assert.NotNull(warning);
        Assert.StartsWith(
            "The server has backups of tank/a, tank/b, the newest of 2026-02-13 13:00",
            warning.Value.Message,
            StringComparison.Ordinal
        );
        Assert.Contains("zfs set com.sun:auto-snapshot=true tank/a", warning.Value.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void What_restores_and_servers_write_to_is_no_warning()
    {
        LeftOutDataset[] leftOut = [LeftOut("tank/a") with { IsByProperty = false }];

        Assert.Null(LeftOutBackups.Describe(leftOut, _ => Noon));
    }

    [Fact]
    public void What_has_no_backups_is_no_warning() =>
        Assert.Null(LeftOutBackups.Describe([LeftOut("tank/a")], _ => null));

    private static LeftOutDataset LeftOut(string dataset) =>
        new()
        {
            Dataset = dataset,
            Reason = "com.sun:auto-snapshot is false",
            IsByProperty = true,
        };
}
