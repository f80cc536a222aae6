using System.Text;
using System.Text.Json;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>A client: a working folder with its .env on the ZFS machine, and a part of the pool of its own.</summary>
internal sealed class ClientMachine : IAsyncDisposable
{
    private readonly ServerProcess? _server;
    private readonly string _url;

    private ClientMachine(ZfsHost host, ServerProcess? server, string url, string id, string key)
    {
        (Host, _server, _url, Id, Key) = (host, server, url, id, key);
        var unique = Guid.NewGuid().ToString("N")[..8];
        Area = $"{host.Pool}/t{unique}";
        Folder = $"/tmp/client-{unique}";
    }

    public ZfsHost Host { get; }

    /// <summary>The server on this machine.</summary>
    public ServerProcess Server =>
        _server ?? throw new InvalidOperationException("The server runs on the ZFS machine.");

    public string Id { get; }

    public string Key { get; }

    /// <summary>The dataset below which this client's datasets are.</summary>
    public string Area { get; }

    public string Folder { get; }

    /// <param name="datasets">Created below <see cref="Area"/>; the first is LOCAL_DATASET.</param>
    public static async Task<ClientMachine> CreateAsync(ZfsHost host, ServerProcess server, params string[] datasets)
    {
        await host.StartAsync();
        var id = $"client{Guid.NewGuid().ToString("N")[..6]}";
        return await CreateAsync(
            new ClientMachine(
                host,
                server,
                $"http://{host.ServerAddress}:{server.Port}",
                id,
                await server.AddClientAsync(id)
            ),
            datasets
        );
    }

    /// <summary>A client of a server that runs on the ZFS machine.</summary>
    public static Task<ClientMachine> CreateAsync(
        ZfsHost host,
        string url,
        string id,
        string key,
        params string[] datasets
    ) => CreateAsync(new ClientMachine(host, null, url, id, key), datasets);

    private static async Task<ClientMachine> CreateAsync(ClientMachine client, string[] datasets)
    {
        var create = string.Concat(datasets.Select(dataset => $" && zfs create -p '{client.Area}/{dataset}'"));
        (
            await client.Host.RunAsync(
                $"mkdir -p {client.Folder} && cat > {client.Folder}/.env && zfs create {client.Area}{create}",
                client.SettingsOf([$"LOCAL_DATASET={client.Area}/{datasets.FirstOrDefault() ?? "data"}"])
            )
        ).MustSucceed();
        return client;
    }

    public async Task WriteSettingsAsync(params string[] settings) =>
        (await Host.RunAsync($"cat > {Folder}/.env", SettingsOf(settings))).MustSucceed();

    private byte[] SettingsOf(string[] settings)
    {
        string[] all = [$"CLIENT_ID={Id}", $"API_KEY={Key}", $"SERVER_URL={_url}", .. settings];
        return Encoding.UTF8.GetBytes(string.Join('\n', all) + "\n");
    }

    /// <summary>Runs a line of shell; it must succeed.</summary>
    public Task<string> ShellAsync(string line) => Host.OutputAsync(line);

    /// <summary>Runs a line such as <c>zfs-client backup</c> in the client's folder.</summary>
    public Task<CommandResult> RunAsync(string line) =>
        Host.RunAsync($"cd {Folder} && PATH={Host.ProgramFolder}:$PATH && {line}");

    /// <summary>The same past a proxy on this machine.</summary>
    public System.Diagnostics.Process StartPast(TcpProxy proxy, string line) =>
        Start($"SERVER_URL=http://{Host.ServerAddress}:{proxy.Port} exec {line}");

    public System.Diagnostics.Process Start(string line) =>
        Host.Start($"cd {Folder} && PATH={Host.ProgramFolder}:$PATH && {line}");

    /// <summary>
    /// Sends a signal to this client's processes of a name; those of others that run beside it are left alone.
    /// </summary>
    public Task<string> KillAsync(string program, string signal = "KILL") =>
        ShellAsync(
            $"for p in $(pgrep -x {program}); do [ \"$(readlink /proc/$p/cwd)\" = {Folder} ] && kill -{signal} $p; "
                + "done; true"
        );

    /// <summary>Runs a command with <c>--json</c>; it must succeed.</summary>
    public async Task<JsonElement> JsonAsync(string line) =>
        JsonDocument.Parse((await RunAsync($"{line} --json")).MustSucceed().Output).RootElement;

    public async Task<JsonElement[]> ListBackupsAsync() => [.. (await JsonAsync("zfs-restore list")).EnumerateArray()];

    public Task<string> GuidOfAsync(string snapshot) => ShellAsync($"zfs get -H -o value guid '{snapshot}'");

    /// <summary>Snapshots and bookmarks of a dataset, names only.</summary>
    public async Task<string[]> SnapshotsOfAsync(string dataset) =>
        (await ShellAsync($"zfs list -H -o name -t snapshot,bookmark -d 1 '{dataset}'")).Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries
        );

    /// <summary>
    /// One line for every file, folder and link: type, mode, owner, size, time, link target, extended attributes and a
    /// digest of the contents. Equal texts mean equal trees.
    /// </summary>
    /// <param name="snapshot">Full name of a snapshot.</param>
    public async Task<string> TreeOfAsync(string snapshot)
    {
        // A clone shows a snapshot's files without changing its dataset, mounted or not.
        var clone = $"{Area}/look{Guid.NewGuid().ToString("N")[..8]}";
        var folder = $"/tmp/{clone.Split('/')[^1]}";
        return await ShellAsync(
            $"zfs clone -o mountpoint={folder} -o atime=off '{snapshot}' {clone} || exit 1; ( cd {folder} && "
                + "find . -printf '%P|%y|%m|%U|%G|%s|%T@|%l|%n\\n' | sort && find . -type f -print0 | "
                + "sort -z | xargs -0 -r sha256sum && find . -print0 | sort -z | xargs -0 -r getfattr -d -m - -e "
                + "hex -h 2>/dev/null ); "
                + $"code=$?; zfs destroy {clone} && rmdir {folder} 2>/dev/null; exit $code"
        );
    }

    public async ValueTask DisposeAsync() =>
        await Host.RunAsync(
            $"zfs destroy -R {Area} || {{ zfs list -H -o name -t snapshot -r {Area} | while read -r s; do zfs "
                + $"release zsm-upload \"$s\"; done; zfs destroy -R {Area}; }}; rm -rf {Folder}"
        );
}
