using System.Text;
using System.Text.RegularExpressions;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Programs;

/// <summary>
/// The programs start with the oldest glibc that the documents name, on whatever system they were linked. It is
/// unpacked from that system's packages by <c>tools/sysroot</c>; the programs run with its loader and libraries.
/// </summary>
public sealed partial class OldGlibcTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("zfs-client")]
    [InlineData("zfs-restore")]
    [InlineData("zfs-server")]
    public async Task No_program_needs_a_newer_glibc_than_documented(string program)
    {
        var bytes = await File.ReadAllBytesAsync(Repository.Program(program), Token);

        var needed = SymbolVersion().Matches(Encoding.Latin1.GetString(bytes)).Max(VersionIn);

        Assert.NotNull(needed);
        Assert.True(
            needed <= await DocumentedAsync(),
            $"{program} needs glibc {needed}. With './publish --any-glibc' that is this machine's; otherwise something "
                + "that is linked in needs a newer one than tools/sysroot has"
        );
    }

    [Fact]
    public async Task The_documents_name_the_glibc_that_the_programs_are_linked_against()
    {
        var version = await AskToolAsync("version");

        Assert.Equal(await DocumentedAsync(), Version.Parse(version));
        Assert.Contains(
            $"glibc {version} or newer",
            await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "install.md"), Token),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task The_check_of_publish_names_a_program_that_needs_a_newer_glibc()
    {
        var folder = Repository.NewFolder("old-glibc");
        var program = Path.Combine(folder, "program");
        var source = "int main(void) { return 0; }";
        await File.WriteAllTextAsync(Path.Combine(folder, "program.c"), source, Token);
        var compiled = await Command.RunAsync("gcc", ["-w", "-o", program, Path.Combine(folder, "program.c")]);
        compiled.MustSucceed();

        var check = await RunToolAsync("check", program);

        Directory.Delete(folder, recursive: true);
        Assert.Equal(1, check.ExitCode);
        Assert.Matches("program needs glibc [0-9.]+, which is newer than [0-9.]+", check.Error);
    }

    [Fact]
    public async Task Each_program_works_with_the_old_glibc()
    {
        var old = await AskToolAsync("prepare");
        var loader = Directory.GetFiles(Path.Combine(old, "lib"), "ld-2.*.so", SearchOption.AllDirectories).Single();
        var openssl = Directory.GetFiles(old, "libssl.so.1.1", SearchOption.AllDirectories).Single();
        var libraries = $"{Path.GetDirectoryName(loader)}:{Path.GetDirectoryName(openssl)}";
        await using var server = await ServerProcess.StartAsync();
        using var client = await Uploader.CreateAsync(server);
        await client.StoreAsync(Recorded.Plain("full"));
        var data = Repository.NewFolder("old-glibc");
        var isolated = new Dictionary<string, string>(StringComparer.Ordinal) { ["DATA_DIR"] = data };

        foreach (var program in (string[])["zfs-client", "zfs-restore", "zfs-server"])
            Assert.Matches(@"^\d+\.\d+\.\d+", (await RunAsync(program, null, "--version")).Output);
        await RunAsync("zfs-server", isolated, "client", "add", "one");
        var clients = await RunAsync("zfs-server", isolated, "client", "list");
        await RunAsync("zfs-client", client.Settings, "status");
        var verified = await RunAsync("zfs-restore", client.Settings, "verify", "all");
        await RunAsync("zfs-restore", null, "stream", "verify", Recorded.PathOf("full"));

        Directory.Delete(data, recursive: true);
        Assert.Contains("one", clients.Output, StringComparison.Ordinal);
        Assert.Contains("1", verified.Output, StringComparison.Ordinal);

        async Task<CommandResult> RunAsync(
            string program,
            IReadOnlyDictionary<string, string>? settings,
            params string[] arguments
        ) =>
            (
                await Command.RunAsync(
                    loader,
                    ["--library-path", libraries, Repository.Program(program), .. arguments],
                    client.Folder,
                    settings
                )
            ).MustSucceed();
    }

    private static async Task<Version> DocumentedAsync()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "README.md"), Token);
        return VersionIn(DocumentedVersion().Match(readme));
    }

    private static Version VersionIn(Match match) => Version.Parse(match.Groups["version"].ValueSpan);

    private static async Task<string> AskToolAsync(string command) =>
        (await RunToolAsync(command)).MustSucceed().Output.Trim();

    private static Task<CommandResult> RunToolAsync(params string[] arguments) =>
        Command.RunAsync(Path.Combine(Repository.Root, "tools", "sysroot"), arguments);

    [GeneratedRegex(@"GLIBC_(?<version>\d+\.\d+)", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex SymbolVersion();

    [GeneratedRegex(@"glibc (?<version>\d+\.\d+) or\s+newer", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex DocumentedVersion();
}
