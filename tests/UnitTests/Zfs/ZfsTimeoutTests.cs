using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

/// <summary>A server gives up commands that do not answer, and one pool does not cost others anything.</summary>
public sealed class ZfsTimeoutTests : IDisposable
{
    /// <summary>
    /// Commands for the pool slow do not answer. Those for the pool stuck leave a process that keeps their output open
    /// when they are killed, as a command in state D stays.
    /// </summary>
    private const string Script = """
        for last; do :; done
        case "$last" in
            slow*) exec sleep 30 ;;
            stuck*) sleep 30 ;;
            *) echo "$last" ;;
        esac
        """;

    private readonly ScriptedPrograms _programs = new();
    private readonly ZfsHost _zfs;

    public ZfsTimeoutTests() => _zfs = _programs.Zfs(Script).WithTimeout(TimeSpan.FromSeconds(1));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _programs.Dispose();

    [Fact]
    public async Task A_command_that_does_not_answer_is_given_up_with_a_remedy_and_may_be_tried_again()
    {
        foreach (var _ in (int[])[1, 2])
        {
            var failed = await Assert.ThrowsAsync<ZfsException>(() => _zfs.RunAsync(["list", "slow/a"], Token));

            Assert.Contains("did not answer within 1 s", failed.Message, StringComparison.Ordinal);
            Assert.Contains("zpool status", failed.Remedy, StringComparison.Ordinal);
            Assert.Equal(ZfsEnd.Killed, failed.End);
        }
    }

    [Fact]
    public async Task While_a_command_cannot_be_ended_only_those_for_its_pool_are_refused()
    {
        await Assert.ThrowsAsync<ZfsException>(() => _zfs.RunAsync(["list", "stuck/a"], Token));

        var refused = await Assert.ThrowsAsync<ZfsException>(() => _zfs.RunAsync(["destroy", "stuck/b@c"], Token));

        Assert.Contains("was not started", refused.Message, StringComparison.Ordinal);
        Assert.Contains("pool stuck", refused.Message, StringComparison.Ordinal);
        Assert.Equal("tank/a\n", await _zfs.RunAsync(["list", "tank/a"], Token));
    }
}
