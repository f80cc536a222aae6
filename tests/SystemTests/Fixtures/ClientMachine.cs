using System.Text;
using System.Text.Json;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>A client: a working directory with its .env, and a part of the pool of its own.</summary>
internal sealed class ClientMachine : IAsyncDisposable
{
    private readonly ServerProcess? _server;
    private readonly string _url;

    private ClientMachine(ClientHost host, ServerProcess? server, string url, string id, string key)
    {
        (Host, _server, _url, Id, Key) = (host, server, url, id, key);
        var unique = Guid.NewGuid().ToString("N")[..8];
        Area = $"{host.Pool}/t{unique}";
        Folder = host.NewFolder("client", unique);
    }

    public ClientHost Host { get; }

    /// <summary>The server on this machine.</summary>
    public ServerProcess Server =>
        _server ?? throw new InvalidOperationException("The server runs on the ZFS machine.");

    public string Id { get; }

    public string Key { get; }

    /// <summary>The dataset below which this client's datasets are.</summary>
    public string Area { get; }

    public string Folder { get; }

    /// <param name="datasets">Created below <see cref="Area"/>; the first is LOCAL_DATASET.</param>
    public static async Task<ClientMachine> CreateAsync(ClientHost host, ServerProcess server, params string[] datasets)
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
        ClientHost host,
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
        // Most tests compare what was restored with snapshots that are older than the usual ones. Tests of what a
        // client destroys set KEEP_MANUAL to its default.
        string[] all = [$"CLIENT_ID={Id}", $"API_KEY={Key}", $"SERVER_URL={_url}", "KEEP_MANUAL=1000", .. settings];
        var once = all.GroupBy(setting => setting.Split('=')[0], StringComparer.Ordinal).Select(group => group.Last());
        return Encoding.UTF8.GetBytes(string.Join('\n', once) + "\n");
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
    /// Makes a <c>zfs</c> that is the real one, but lets only 4 MiB of each stream through, sent or received, until
    /// <see cref="ReleaseAsync"/>: what is interrupted meanwhile is in its middle, however fast the machine is.
    /// </summary>
    /// <returns>What to start a line with.</returns>
    public async Task<string> HoldStreamsAsync()
    {
        var script = $$"""
            #!/bin/bash
            zfs=$(PATH=${PATH#*:} command -v zfs)
            set -o pipefail
            hold() {
              perl -e '
                my $passed = 0;
                while (my $count = sysread STDIN, my $bytes, 65536) {
                  select undef, undef, undef, 0.1 while $passed >= 4194304 && !-e "{{Folder}}/go";
                  for (my $done = 0; $done < $count; ) {
                    $done += (syswrite STDOUT, $bytes, $count - $done, $done) // exit 1;
                  }
                  $passed += $count;
                }'
            }
            case "$*" in
              "send -n"*) exec "$zfs" "$@" ;;
              "send "*) "$zfs" "$@" | hold ;;
              "receive "*) hold | "$zfs" "$@" ;;
              *) exec "$zfs" "$@" ;;
            esac
            """;
        return await PutZfsAsync("hold", script);
    }

    /// <summary>Makes a <c>zfs</c> that is the real one, but treats some commands differently.</summary>
    /// <param name="branch">A branch of a shell's <c>case</c> over its arguments; <c>$zfs</c> is the real one.</param>
    /// <returns>What to start a line with.</returns>
    public Task<string> WrapZfsAsync(string branch) =>
        PutZfsAsync(
            "wrapped",
            $$"""
            #!/bin/bash
            zfs=$(PATH=${PATH#*:} command -v zfs)
            case "$*" in
              {{branch}} ;;
              *) exec "$zfs" "$@" ;;
            esac
            """
        );

    private async Task<string> PutZfsAsync(string name, string script)
    {
        (
            await Host.RunAsync(
                $"mkdir -p {Folder}/{name} && cd {Folder}/{name} && cat > zfs && chmod 755 zfs",
                Encoding.UTF8.GetBytes(script + "\n")
            )
        ).MustSucceed();
        return $"PATH={Folder}/{name}:$PATH";
    }

    public Task<string> ReleaseAsync() => ShellAsync($"touch {Folder}/go");

    /// <summary>
    /// Sends a signal to this client's processes of a name; those of others that run beside it are left alone.
    /// </summary>
    public Task KillAsync(string program, string signal = "KILL") => Host.KillAsync(program, Folder, signal);

    /// <summary>Runs a command about one thing with <c>--json</c>; it must succeed.</summary>
    /// <returns>Its only result.</returns>
    public async Task<JsonElement> JsonAsync(string line) => Assert.Single(await ResultsAsync(line));

    /// <summary>Runs a command with <c>--json</c>; it must succeed.</summary>
    public async Task<JsonElement[]> ResultsAsync(string line) =>
        CommandJson.Results((await RunAsync($"{line} --json")).MustSucceed().Output);

    public Task<JsonElement[]> ListBackupsAsync() => ResultsAsync("zfs-restore list");

    public Task<string> GuidOfAsync(string snapshot) => ShellAsync($"zfs get -H -o value guid '{snapshot}'");

    /// <summary>Snapshots and bookmarks of a dataset, names only.</summary>
    public async Task<string[]> SnapshotsOfAsync(string dataset) =>
        (await ShellAsync($"zfs list -H -o name -t snapshot,bookmark -d 1 '{dataset}'")).Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries
        );

    /// <summary>
    /// The bookmark that a backup made of a snapshot: its name ends with letters for server and client.
    /// </summary>
    public async Task<string> BookmarkOfAsync(string snapshot) =>
        Assert.Single(await SnapshotsOfAsync(snapshot.Split('@')[0]), name =>
            name.StartsWith($"{snapshot.Replace('@', '#')}.", StringComparison.Ordinal)
            && name[(name.LastIndexOf('.') + 1)..] is { Length: 8 } tag
            && tag.All(char.IsAsciiLetterLower)
        );

    /// <summary>Releases all holds of a snapshot and destroys it.</summary>
    public Task DestroyHeldAsync(string snapshot) =>
        ShellAsync(
            $"for t in $(zfs holds -H '{snapshot}' | cut -f 2); do zfs release $t '{snapshot}'; done; zfs destroy "
                + $"'{snapshot}'"
        );

    /// <summary>GUIDs of a dataset's snapshots. Names may be used again within a second.</summary>
    public async Task<string[]> GuidsOfAsync(string dataset) =>
        (await ShellAsync($"zfs list -H -o guid -t snapshot -d 1 '{dataset}'")).Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries
        );

    /// <summary>All that a snapshot holds, as text: equal texts mean equal contents.</summary>
    /// <param name="snapshot">Full name of a snapshot.</param>
    public async Task<string> TreeOfAsync(string snapshot) => (await Host.DescribeAsync(snapshot))[0];

    /// <summary>A restored dataset has a snapshot: the same GUID, the same files.</summary>
    /// <param name="snapshot">Its full name where it was made.</param>
    /// <param name="restored">The dataset.</param>
    public Task AssertSameAsync(string snapshot, string restored) => AssertSameAsync((snapshot, restored));

    /// <summary>The same for several.</summary>
    public async Task AssertSameAsync(params (string Snapshot, string Restored)[] pairs)
    {
        var trees = await Host.DescribeAsync([
            .. pairs.SelectMany(pair => (string[])[pair.Snapshot, $"{pair.Restored}@{pair.Snapshot.Split('@')[1]}"]),
        ]);
        Assert.All(trees.Chunk(2), pair => Assert.Equal(pair[0], pair[1]));
    }

    /// <summary>Writes files of random data into a dataset below <see cref="Area"/>.</summary>
    public Task WriteAsync(string dataset, params (string File, long Bytes)[] files) =>
        Host.WriteAsync($"{Area}/{dataset}", files);

    public async ValueTask DisposeAsync() => await Host.RemoveClientAsync(Area, Folder);
}
