using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class ZfsRemoteHostTests
{
    [Theory]
    [InlineData("nas")]
    [InlineData("backup@nas.example")]
    [InlineData("root@fe80::1")]
    public void A_host_is_a_name_with_an_optional_user(string text) =>
        Assert.Equal(text, ZfsRemoteHost.Parse(text).Destination);

    [Theory]
    [InlineData("")]
    [InlineData("-oProxyCommand=evil")]
    [InlineData("root@-oProxyCommand=evil")]
    [InlineData("nas; rm -rf /")]
    [InlineData("nas zfs")]
    [InlineData("a@b@c")]
    [InlineData("@nas")]
    [InlineData("$(id)")]
    public void A_host_that_ssh_could_read_as_an_option_or_a_shell_as_a_command_is_refused(string text) =>
        Assert.Throws<FormatException>(() => ZfsRemoteHost.Parse(text));

    [Fact]
    public void Every_argument_is_one_word_for_the_shell_of_the_other_host()
    {
        var line = ZfsRemoteHost.Parse("nas").Wrap("zfs", ["list", "tank/a b", "x'; reboot; '", "$(reboot)", ""])[^1];

        Assert.EndsWith(@" zfs list 'tank/a b' 'x'\''; reboot; '\''' '$(reboot)' ''", line, StringComparison.Ordinal);
    }
}
