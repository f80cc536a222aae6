using System.Diagnostics;
using System.Text;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class ZfsRemoteHostTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

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

    /// <summary>
    /// csh is the shell of many accounts of FreeBSD. Where there is none, the line at least has nothing that only csh
    /// would change.
    /// </summary>
    [Theory]
    [InlineData("/bin/sh")]
    [InlineData("/bin/csh")]
    public async Task No_shell_of_the_other_host_changes_an_argument(string shell)
    {
        string[] arguments = ["a b", "x'y", "", "*", "~", @"$HOME `id` \ \0041", "bang!there !!", "two\nlines!\n"];
        var host = ZfsRemoteHost.Parse("nas");
        var line = host.Wrap("printf", [@"%s\0", .. arguments])[^1];
        var names = host.WrapForNames("zfs", ["list"])[^1];

        var (exitCode, output) = await RunAsync(File.Exists(shell) ? shell : "/bin/sh", line, [], host);

        Assert.Equal(0, exitCode);
        Assert.Equal([.. arguments, ""], output.Split('\0'));
        Assert.Equal(-1, (line + names).AsSpan().IndexOfAny('\n', '!'));
    }

    [Fact]
    public async Task Names_beyond_the_length_of_an_argument_come_by_standard_input()
    {
        string[] names = ["tank/a b", "tank/*", "tank/$(reboot)", .. Enumerable.Range(0, 20_000).Select(n => $"t/{n}")];

        var (exitCode, output) = await RunAsync(ZfsRemoteHost.NamesAsInput(names));

        Assert.Equal(0, exitCode);
        Assert.Equal(["list", "-o", "a b", .. names], output.TrimEnd('\n').Split('\n'));
    }

    [Theory]
    [InlineData("tank/a\ntank/da")]
    [InlineData("tank/a\n")]
    [InlineData("")]
    public async Task A_command_does_not_run_if_the_connection_broke_within_its_names(string input)
    {
        var (exitCode, output) = await RunAsync(Encoding.UTF8.GetBytes(input));

        Assert.Equal(255, exitCode);
        Assert.Empty(output);
    }

    /// <summary>What sshd would run, with a program that prints its arguments in place of <c>zfs</c>.</summary>
    private static async Task<(int ExitCode, string Output)> RunAsync(byte[] input)
    {
        var folder = Directory.CreateTempSubdirectory("zsm-names-").FullName;
        var program = Path.Combine(folder, "zfs");
        await File.WriteAllTextAsync(program, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n", Token);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var host = ZfsRemoteHost.Parse("nas");
        var ended = await RunAsync("/bin/sh", host.WrapForNames(program, ["list", "-o", "a b"])[^1], input, host);
        Directory.Delete(folder, recursive: true);
        return ended;
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(
        string shell,
        string line,
        byte[] input,
        ZfsRemoteHost host
    )
    {
        var start = new ProcessStartInfo(shell, ["-c", line])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        using var process = Process.Start(start)!;
        using var reader = new StreamReader(new RemoteOutput(process.StandardOutput.BaseStream, host));
        var output = reader.ReadToEndAsync(Token);
        await process.StandardInput.BaseStream.WriteAsync(input, Token);
        process.StandardInput.Close();
        await process.WaitForExitAsync(Token);
        return (process.ExitCode, await output);
    }
}
