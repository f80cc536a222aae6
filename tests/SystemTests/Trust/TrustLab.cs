using System.Globalization;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Trust;

/// <summary>
/// A client on the stand-in for <c>zfs</c> and a server that lies to it. The client's dataset is encrypted; beside it
/// are a decrypted copy with a snapshot of the same GUID, and what other programs and another server made of it.
/// </summary>
internal sealed class TrustLab : IAsyncDisposable
{
    /// <summary>What another server's client has left: it must stay.</summary>
    private const string OtherMark = "zfs-snapshot-manager:upload=pending:another-server/web1/01234567-01234567";

    /// <summary>In the names of its holds and bookmarks.</summary>
    private const string OtherTag = "abcdefgh";

    /// <summary>Bytes of a stream after which an interrupted run is killed.</summary>
    private const long HeldAt = 2_600_000;

    private static readonly string[] RotatedTypes = ["hourly", "daily"];

    private TrustLab(ServerProcess server, StandInHost host, ClientMachine client)
    {
        (Server, Host, Client) = (server, host, client);
        Liar = new LyingServer(server.Port);
    }

    public ServerProcess Server { get; }

    public StandInHost Host { get; }

    public ClientMachine Client { get; }

    public LyingServer Liar { get; }

    public string Dataset => $"{Client.Area}/data";

    /// <summary>The decrypted copy.</summary>
    public string Copy => $"{Client.Area}/copy";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<TrustLab> CreateAsync()
    {
        var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = "1" }
        );
        var host = new StandInHost();
        var lab = new TrustLab(server, host, await ClientMachine.CreateAsync(host, server));
        await lab.Client.WriteSettingsAsync(
            $"LOCAL_DATASET={lab.Dataset}",
            "RETRY_TIME=0",
            "COMPRESSION=none",
            "MAX_CHAIN=0",
            $"KEEP_MANUAL={CommandRules.KeepManual}"
        );
        await lab.Client.ShellAsync(
            $"zfs create -o encryption=on -o keyformat=hex {lab.Dataset} && zfs stand-in write {lab.Dataset} large "
                + $"3000000 small 700 && zfs snapshot {lab.Dataset}@precious && zfs bookmark {lab.Dataset}@precious "
                + $"{lab.Dataset}#precious && zfs send {lab.Dataset}@precious | zfs receive -s -u {lab.Copy}@precious "
                + $"&& zfs snapshot -o {OtherMark} -o zfs-snapshot-manager:type=manual {lab.Dataset}@zsm-manual-other "
                + $"&& zfs hold zsm-upload-{OtherTag} {lab.Dataset}@zsm-manual-other && zfs bookmark "
                + $"{lab.Dataset}@precious {lab.Dataset}#zsm-manual-other.{OtherTag}"
        );
        return lab;
    }

    /// <summary>Runs a command against the server that lies.</summary>
    public Task<CommandResult> RunAsync(string line) =>
        Client.RunAsync($"SERVER_URL=http://127.0.0.1:{Liar.Port} {line}");

    public Task ChangeAsync() => Client.WriteAsync("data", ("small", 700));

    /// <summary>Runs a command while a lie is told, and checks what it did and said.</summary>
    /// <returns>Whether the lie was told.</returns>
    public async Task<bool> CheckBackupAsync(ServerLie lie)
    {
        var before = await ListAsync();
        Host.NoteCommands();
        Liar.Tell(lie);
        var result = await RunAsync("zfs-client backup");
        var isTold = Liar.Tell(null);
        var after = await ListAsync();

        var rules = new CommandRules(Dataset, before);
        foreach (var words in Host.NotedCommands())
            Assert.True(
                rules.FindFault(words) is not { } fault,
                $"{lie}: zfs {string.Join(' ', words)}: {rules.FindFault(words)}\n{result.Text}"
            );
        foreach (var entry in before.Where(entry => !rules.MayDestroy(entry.Name)))
            Assert.True(after.Contains(entry), $"{lie}: {entry.Name} has gone\n{result.Text}");
        AssertSays(result, lie);
        return isTold;
    }

    /// <summary>A server that is honest again gets the backup, whatever it said before.</summary>
    public async Task CheckRecoveryAsync(ServerLie lie)
    {
        var result = await RunAsync("zfs-client backup");
        Assert.True(result.ExitCode == 0, $"after {lie}: {result.Text}");
    }

    /// <summary>Rotates while a lie is told, checks what was destroyed, and undoes it.</summary>
    /// <returns>Whether the lie was told.</returns>
    public async Task<bool> CheckRotationAsync(ServerLie lie)
    {
        var before = await ListAsync();
        var pool = Host.SavePool();
        Host.NoteCommands();
        Liar.Tell(lie);
        var result = await RunAsync("zfs-client rotate");
        var isTold = Liar.Tell(null);
        var rules = new CommandRules(Dataset, before);
        var typed = before.Where(entry => entry.Name.StartsWith($"{Dataset}@zsm-", StringComparison.Ordinal)).ToList();
        HashSet<string> old =
        [
            .. RotatedTypes
                .SelectMany(type =>
                    typed.Where(entry => entry.Name.Contains($"@zsm-{type}-", StringComparison.Ordinal)).SkipLast(1)
                )
                .Select(entry => entry.Name),
        ];
        foreach (var words in Host.NotedCommands())
        {
            var isAllowed = words switch
            {
                ["version" or "list" or "get" or "holds", ..] => true,
                ["destroy", var name] when old.Contains(name) => true,
                ["destroy", ..] => rules.FindFault(words) is null,
                _ => false,
            };
            Assert.True(isAllowed, $"{lie}: zfs {string.Join(' ', words)}\n{result.Text}");
        }

        AssertSays(result, lie);
        Host.RestorePool(pool);
        return isTold;
    }

    /// <summary>Restores while a lie is told, checks what was touched, and undoes it.</summary>
    /// <returns>Whether the lie was told.</returns>
    public async Task<bool> CheckRestoreAsync(ServerLie lie)
    {
        var target = $"{Client.Area}/target";
        var before = await ListAsync();
        var pool = Host.SavePool();
        Host.NoteCommands();
        Liar.Tell(lie);
        var result = await RunAsync($"zfs-restore restore 1 {target} --recursive --properties");
        var isTold = Liar.Tell(null);
        foreach (var words in Host.NotedCommands())
        {
            var named = words.Skip(1).Where(word => word.StartsWith("tank", StringComparison.Ordinal)).ToList();
            var isAllowed =
                words[0] is "version" or "list" or "get" or "holds"
                || (named.Count > 0 && named.TrueForAll(name => name.StartsWith(target, StringComparison.Ordinal)));
            Assert.True(isAllowed, $"{lie}: zfs {string.Join(' ', words)}\n{result.Text}");
        }

        Assert.Equal(before, await ListAsync());
        AssertSays(result, lie);
        Host.RestorePool(pool);
        return isTold;
    }

    /// <summary>Starts a backup and kills it when some parts of it are stored.</summary>
    public async Task InterruptAsync()
    {
        await Client.WriteAsync("data", ("large", 3_000_000), ("small", 700));
        Host.LimitSend(HeldAt);
        using var backup = Client.Start("exec zfs-client backup");
        using var http = Server.As(Client.Id, Client.Key);
        await Patience.UntilAsync("some parts are on the server", async () =>
        {
            Assert.False(backup.HasExited, "the backup ended before it could be interrupted");
            var uploads = await http.GetStringAsync("uploads", Token);
            return uploads.Contains("\"next_part\":3", StringComparison.Ordinal);
        });
        await Client.KillAsync("zfs-client");
        await backup.WaitForExitAsync(Token);
        Host.LimitSend(null);
        await Patience.UntilAsync("zfs send has ended", () => !StandInHost.FindProcesses("zfs", Client.Folder).Any());
    }

    /// <summary>What a command says is clear, and no more than text.</summary>
    public static void AssertSays(CommandResult result, ServerLie lie)
    {
        Assert.False(
            result.Text.Contains("Unexpected failure", StringComparison.Ordinal) || result.ExitCode is > 128 or < 0,
            $"{lie}: exit code {result.ExitCode}\n{result.Text}"
        );
        Assert.False(
            result.Text.Any(c => (char.IsControl(c) && c is not ('\n' or '\t')) || c == '\u202e'),
            $"{lie}: control characters in {result.Text}"
        );
        Assert.True(result.ExitCode == 0 || result.Error.Trim().Length > 0, $"{lie}: says nothing");
    }

    public async Task<IReadOnlyList<LocalEntry>> ListAsync()
    {
        var rows = await Client.ShellAsync(
            "for dataset in "
                + $"{Dataset} {Copy}; do zfs list -H -p -t snapshot,bookmark -d 1 -o "
                + "name,guid,zfs-snapshot-manager:upload,createtxg $dataset; done"
        );
        return
        [
            .. rows.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(row => row.Split('\t'))
                .OrderBy(row => ulong.Parse(row[3], CultureInfo.InvariantCulture))
                .Select(row => new LocalEntry(
                    row[0],
                    ulong.Parse(row[1], CultureInfo.InvariantCulture),
                    IsOwn(row[0], row[2]),
                    row[2].StartsWith("pending:", StringComparison.Ordinal)
                        && row[2].Contains($"/{Client.Id}/", StringComparison.Ordinal)
                )),
        ];
    }

    /// <summary>Bookmarks have no marks: their names say whose they are.</summary>
    private bool IsOwn(string name, string mark) =>
        name.Contains('#', StringComparison.Ordinal)
            ? name.StartsWith($"{Dataset}#zsm-", StringComparison.Ordinal)
                && !name.EndsWith($".{OtherTag}", StringComparison.Ordinal)
            : mark.Contains($"/{Client.Id}", StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await Liar.DisposeAsync();
        await Client.DisposeAsync();
        await Server.DisposeAsync();
    }
}
