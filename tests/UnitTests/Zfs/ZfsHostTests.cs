using ZfsSnapshotManager.Core;
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

    [Fact]
    public async Task Every_name_that_a_command_refuses_is_known()
    {
        const int Names = 5000;
        const string Script =
            "i=0; while [ $i -lt 5000 ]; do echo \"cannot hold snapshot 'tank/data-$i@x': permission denied\" >&2; "
            + "i=$((i+1)); done; exit 1";
        await using var process = ZfsProcess.Start(ZfsHost.Local, ["hold"], "/bin/sh", ["-c", Script]);

        var failure = await Assert.ThrowsAsync<ZfsException>(() => process.WaitForSuccessAsync(Token));

        Assert.Equal(Names, ZfsErrorLines.Read(failure.StandardError).Count);
        Assert.InRange(failure.Message.Length, 100, 5000);
    }

    [Fact]
    public async Task The_failure_of_another_program_names_it()
    {
        var failure = await Assert.ThrowsAsync<ZfsException>(() =>
            ZfsHost.Local.RunOtherAsync("ls", ["/nonexistent"], Token)
        );

        Assert.StartsWith("ls /nonexistent failed with exit code 2: ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_is_missing_is_named()
    {
        var failure = await Assert.ThrowsAsync<OperationException>(() =>
            ZfsHost.Local.RunOtherAsync("no-such-program", [], Token)
        );

        Assert.Equal("The command 'no-such-program' cannot be started: it was not found", failure.Message);
        Assert.DoesNotContain("ZFS", failure.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_broken_connection_is_told_without_the_command()
    {
        var host = ZfsRemoteHost.Parse("root@nas");
        var failure = new ZfsException(["-c", "echo a script"], 255, "ssh: connect to host nas: timed out", host, "sh");

        Assert.Equal("ssh to root@nas failed with exit code 255: ssh: connect to host nas: timed out", failure.Message);
    }
}
