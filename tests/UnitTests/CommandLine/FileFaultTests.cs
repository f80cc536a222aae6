using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.UnitTests.CommandLine;

public sealed class FileFaultTests
{
    [Fact]
    public void A_full_disk_is_no_bug()
    {
        var full = Assert.Throws<IOException>(() => File.WriteAllText("/dev/full", "text"));

        var fault = FileFault.Explain(full)!;

        Assert.True(FileFault.IsDiskFull(full));
        Assert.Equal(ExitCode.NoSpace, fault.ExitCode);
        Assert.Contains("/dev/full", fault.Message, StringComparison.Ordinal);
        Assert.Contains("Make room", fault.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_another_user_is_no_bug()
    {
        var fault = FileFault.Explain(new UnauthorizedAccessException("Access to the path '/x/lock' is denied."))!;

        Assert.Equal(ExitCode.Failure, fault.ExitCode);
        Assert.Equal("This user may not do that: Access to the path '/x/lock' is denied.", fault.Message);
        Assert.Contains("as the user", fault.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(30)] // EROFS
    [InlineData(5)] // EIO
    public void A_file_system_that_refuses_is_no_bug(int errno)
    {
        var fault = FileFault.Explain(new IOException("Read-only file system : '/srv/lock'", errno))!;

        Assert.Equal(ExitCode.Failure, fault.ExitCode);
        Assert.Equal("Read-only file system : '/srv/lock'", fault.Message);
        Assert.Contains("dmesg", fault.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_failure_is_not_explained() =>
        Assert.Null(FileFault.Explain(new IOException("the end of the file was not expected")));
}
