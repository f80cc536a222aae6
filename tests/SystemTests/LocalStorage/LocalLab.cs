using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// A zfs-server on the ZFS machine, as the ordinary user "backup" with the permissions of docs/operations.md and no others, and a client of it
/// that is stored in ZFS.
/// </summary>
internal sealed class LocalLab : IAsyncDisposable
{
    private readonly string _folder;
    private readonly string _environment;
    private readonly int _port = Random.Shared.Next(10_000, 20_000);

    private LocalLab(ZfsHost host, IEnumerable<string> settings)
    {
        var unique = Guid.NewGuid().ToString("N")[..8];
        (Host, Base, _folder) = (host, $"{host.Pool}/srv{unique}", $"/tmp/server-{unique}");
        _environment = string.Join(' ', (string[])[$"DATA_DIR={_folder}/data", $"PORT={_port}", "BIND_ADDRESS=127.0.0.1", "PART_SIZE_MIB=1", $"ZFS_BASE_DATASET={Base}", .. settings]);
    }

    public ZfsHost Host { get; }

    /// <summary>ZFS_BASE_DATASET.</summary>
    public string Base { get; }

    public ClientMachine Client { get; private set; } = null!;

    /// <summary>The dataset that is backed up.</summary>
    public string Source => $"{Client.Area}/data";

    /// <summary>Where the server puts what the client sends.</summary>
    public string Parent => $"{Base}/{Client.Id}";

    /// <summary>The first dataset that is received from <see cref="Source"/>.</summary>
    public string Received => $"{Parent}/{Source.Replace('/', '_')}";

    public string Url => $"http://127.0.0.1:{_port}";

    public static async Task<LocalLab> CreateAsync(ZfsHost host, string options = "", params string[] settings)
    {
        await host.StartAsync();
        var lab = new LocalLab(host, settings);
        await host.OutputAsync($"zfs create -o mountpoint=none -o canmount=off {lab.Base} && zfs allow -u backup {Permissions} {lab.Base} && install -d -o backup {lab._folder}");
        var id = $"client{Guid.NewGuid().ToString("N")[..6]}";
        var added = JsonDocument.Parse((await lab.ServerAsync($"client add {id} --storage-type local {options} --json")).MustSucceed().Output).RootElement;
        await lab.StartServerAsync();
        lab.Client = await ClientMachine.CreateAsync(host, lab.Url, id, added.GetProperty("api_key").GetString()!, "data");
        return lab;
    }

    /// <summary>As docs/operations.md has them; a test compares.</summary>
    public const string Permissions = "create,mount,receive,destroy,send,userprop,quota,canmount,mountpoint,readonly,setuid,exec,devices,sharenfs,sharesmb,atime,volmode";

    public async Task StartServerAsync()
    {
        await Host.OutputAsync($"cd {_folder} && {{ setsid setpriv --reuid backup --regid backup --clear-groups env {_environment} sh -c 'echo $$ > pid; exec {Host.ProgramFolder}/zfs-server' >> log 2>&1 < /dev/null & }}; for i in $(seq 200); do curl -sf {Url}/health > /dev/null && exit 0; sleep 0.1; done; cat {_folder}/log; exit 1");
    }

    public Task KillServerAsync() => Host.OutputAsync($"kill -9 $(cat {_folder}/pid)");

    public Task StopServerAsync() => Host.OutputAsync($"pid=$(cat {_folder}/pid); kill -TERM $pid; for i in $(seq 300); do kill -0 $pid 2>/dev/null || exit 0; sleep 0.1; done; exit 1");

    public Task<string> LogAsync() => Host.OutputAsync($"cat {_folder}/log");

    /// <summary>Runs <c>zfs-server …</c> as its administrator does.</summary>
    public Task<CommandResult> ServerAsync(string arguments) => Host.RunAsync($"cd {_folder} && setpriv --reuid backup --regid backup --clear-groups env {_environment} {Host.ProgramFolder}/zfs-server {arguments}");

    /// <summary>Runs curl with the client's key.</summary>
    /// <param name="arguments">Where <c>URL</c> stands for the server's.</param>
    public async Task<CurlAnswer> CurlAsync(string arguments)
    {
        var result = await Host.RunAsync($"curl -s -w '\\n%{{http_code}}' -H 'X-API-Key: {Client.Key}' {arguments.Replace("URL", Url, StringComparison.Ordinal)}");
        var lines = result.MustSucceed().Output.TrimEnd('\n').Split('\n');
        return new CurlAnswer(int.Parse(lines[^1], System.Globalization.CultureInfo.InvariantCulture), string.Join('\n', lines[..^1]));
    }

    /// <summary>Announces a plain stream and sends what a line of shell prints.</summary>
    public async Task<CurlAnswer> SendAsync(string line, string dataset = "tank/sent")
    {
        var upload = (await CurlAsync($"-d '{{\"dataset_name\":\"{dataset}\",\"compression\":\"none\"}}' URL/upload")).MustSucceed().Json.GetProperty("upload_id").GetString();
        await Host.RunAsync($"{line} > {_folder}/stream");
        return await CurlAsync($"-X POST -T {_folder}/stream URL/upload-stream/{upload}");
    }

    /// <summary>Makes files of which a tree can be compared, and some MiB that take many parts.</summary>
    public Task<string> FillAsync(string name, int megabytes) =>
        Client.ShellAsync($"cd /{Source} && mkdir -p {name} && head -c {megabytes}M /dev/urandom > {name}/large && for i in $(seq 20); do head -c 3000 /dev/urandom > {name}/f$i; done && ln -s large {name}/link && sync");

    public Task<JsonElement> BackUpAsync() => Client.JsonAsync("zfs-client backup");

    /// <summary>Names of datasets and snapshots below the client's.</summary>
    public async Task<string[]> ReceivedNamesAsync() =>
        [.. (await Host.OutputAsync($"zfs list -H -r -t filesystem,volume,snapshot -o name {Parent}")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)];

    public async Task AssertRestoresAsync(string snapshot, string target = "restored", string options = "")
    {
        await Client.JsonAsync($"zfs-restore latest {Client.Area}/{target} {options}");
        await AssertSameAsync(snapshot, target);
    }

    /// <summary>That a restored dataset has a snapshot, by its GUID and all its files.</summary>
    public async Task AssertSameAsync(string snapshot, string target)
    {
        var restored = $"{Client.Area}/{target}@{snapshot.Split('@')[1]}";
        Assert.Equal(await Client.GuidOfAsync(snapshot), await Client.GuidOfAsync(restored));
        Assert.Equal(await Client.TreeOfAsync(snapshot), await Client.TreeOfAsync(restored));
    }

    public async ValueTask DisposeAsync()
    {
        if (TestContext.Current.TestState?.Result == TestResult.Failed) TestContext.Current.TestOutputHelper?.WriteLine(await LogAsync());
        await Host.RunAsync($"kill -9 $(cat {_folder}/pid); sleep 1; zfs list -H -r -t snapshot -o name {Base} | while read -r s; do zfs holds -H $s | cut -f2 | while read -r t; do zfs release $t $s; done; done; zfs destroy -R {Base}; rm -rf {_folder}");
        if (Client is not null) await Client.DisposeAsync();
    }
}
