using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class ZpoolErrorsTests
{
    [Theory]
    [InlineData("  pool: tank\n state: ONLINE\nconfig:\n\n\ttank ONLINE 0 0 0\n\nerrors: No known data errors\n", null)]
    [InlineData("errors: 1 data errors, use '-v' for a list\n", "1 data errors, use '-v' for a list")]
    [InlineData("  pool: tank\n\n errors: 3 data errors, use '-v' for a list", "3 data errors, use '-v' for a list")]
    [InlineData("no pools available\n", null)]
    [InlineData("", null)]
    public void Data_errors_are_read_from_the_status_of_a_pool(string status, string? errors) =>
        Assert.Equal(errors, ZpoolErrors.Parse(status));
}
