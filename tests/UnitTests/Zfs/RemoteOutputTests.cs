using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class RemoteOutputTests
{
    private static readonly ZfsRemoteHost Host = ZfsRemoteHost.Parse("backup@nas");

    [Theory]
    [InlineData("zfs-snapshot-manager\ntank/data\n", "tank/data\n")]
    [InlineData("zfs-snapshot-manager\n", "")]
    [InlineData("", "")]
    public async Task The_output_of_the_command_follows_the_mark(string printed, string output) =>
        Assert.Equal(output, await ReadAsync(printed));

    [Theory]
    [InlineData("Welcome to nas\nzfs-snapshot-manager\ntank/data\n", "'Welcome to nas'")]
    [InlineData("\u001b[1mWelcome\u001b[0m\nzfs-snapshot-manager\n", "'[1mWelcome[0m'")]
    [InlineData("Welcome", "'Welcome'")]
    [InlineData("\nzfs-snapshot-manager\n", "''")]
    public async Task Text_before_the_mark_is_named_and_how_to_see_it(string printed, string named)
    {
        var refused = await Assert.ThrowsAsync<OperationException>(() => ReadAsync(printed));

        Assert.Equal(ExitCode.Zfs, refused.ExitCode);
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        Assert.Contains("'ssh -T backup@nas true' must print nothing", refused.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_passes_unchanged()
    {
        var bytes = new byte[100_000];
        Random.Shared.NextBytes(bytes);
        await using var source = new MemoryStream([.. Encoding.ASCII.GetBytes("zfs-snapshot-manager\n"), .. bytes]);
        await using var output = new RemoteOutput(source, Host);
        using var read = new MemoryStream();

        await output.CopyToAsync(read, TestContext.Current.CancellationToken);

        Assert.Equal(bytes, read.ToArray());
    }

    private static async Task<string> ReadAsync(string printed)
    {
        await using var source = new MemoryStream(Encoding.UTF8.GetBytes(printed));
        using var reader = new StreamReader(new RemoteOutput(source, Host));
        return await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
    }
}
