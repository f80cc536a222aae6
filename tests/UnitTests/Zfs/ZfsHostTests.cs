using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class ZfsHostTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_send_that_is_killed_before_it_begins_fails_with_its_exit_code()
    {
        await using var process = ZfsProcess.Start(ZfsHost.Local, ["send"], "/bin/sh", ["-c", "kill -9 $$"]);
        await Assert.ThrowsAsync<ZfsException>(() => process.WaitForSuccessAsync(Token));

        ZfsHost.OpenGate(process); // nobody reads the pipe any more

        var failure = await Assert.ThrowsAsync<ZfsException>(() => process.WaitForSuccessAsync(Token));
        Assert.Equal(128 + 9, failure.CommandExitCode);
    }
}
