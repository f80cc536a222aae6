using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class ZfsRemediesTests
{
    [Fact]
    public void A_message_is_recognised_wherever_ZFS_wraps_it() =>
        Assert.Contains(
            "new dataset",
            ZfsRemedies.Find(
                "cannot receive incremental stream: most recent snapshot of tank/x does not\nmatch incremental source\n"
            ),
            StringComparison.Ordinal
        );

    [Fact]
    public void Unknown_errors_have_no_remedy() => Assert.Null(ZfsRemedies.Find("something quite new"));

    [Fact]
    public void A_failed_connection_is_distinguished_from_a_failed_command()
    {
        var host = ZfsRemoteHost.Parse("backup@nas");

        Assert.Contains(
            "ssh -o BatchMode=yes backup@nas",
            new ZfsException(["list"], 255, "ssh: connect to host nas port 22: Connection refused", host).Remedy,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "zfs list",
            new ZfsException(["list"], 1, "cannot open 'x': dataset does not exist", host).Remedy,
            StringComparison.Ordinal
        );
    }
}
