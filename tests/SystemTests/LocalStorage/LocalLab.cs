using System.Text;
using System.Text.Json;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsDelegation = ZfsSnapshotManager.Core.Zfs.ZfsDelegation;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// A zfs-server where ZFS is, and a client of it that is stored in ZFS. On real ZFS it runs as the ordinary user
/// "backup" with the permissions of docs/zfs-storage.md and no others; the stand-in has no permissions.
/// </summary>
internal sealed class LocalLab : IAsyncDisposable
{
    private readonly string _environment;

    /// <summary>Runs what follows as the server's user.</summary>
    private readonly string _asServer;

    private readonly int _port = ServerProcess.FreePort();

    private LocalLab(ClientHost host, IEnumerable<string> settings)
    {
        var unique = Guid.NewGuid().ToString("N")[..8];
        (Host, Base, Folder) = (host, $"{host.Pool}/srv{unique}", host.NewFolder("server", unique));
        _asServer = host.ServerUser is { } user ? $"setpriv --reuid {user} --regid {user} --clear-groups " : "";
        _environment = string.Join(
            ' ',
            (string[])
                [
                    $"PATH={Folder}/bin:{host.ProgramFolder}:$PATH",
                    $"DATA_DIR={Folder}/data",
                    $"PORT={_port}",
                    "BIND_ADDRESS=127.0.0.1",
                    "PART_SIZE_MIB=1",
                    $"ZFS_BASE_DATASET={Base}",
                    .. settings,
                ]
        );
    }

    public ClientHost Host { get; }

    /// <summary>The server's directory, where ZFS is.</summary>
    public string Folder { get; }

    /// <summary>ZFS_BASE_DATASET.</summary>
    public string Base { get; }

    public ClientMachine Client { get; private set; } = null!;

    /// <summary>The dataset that is backed up.</summary>
    public string Source => $"{Client.Area}/data";

    /// <summary>The dataset below which the server stores the client's backups.</summary>
    public string Parent => $"{Base}/{Client.Id}";

    /// <summary>The first dataset that is received from <see cref="Source"/>.</summary>
    public string Received => $"{Parent}/{Source.Replace('/', '_')}";

    public string Url => $"http://127.0.0.1:{_port}";

    public static async Task<LocalLab> CreateAsync(ClientHost host, string options = "", params string[] settings)
    {
        await host.StartAsync();
        var lab = new LocalLab(host, settings);
        await host.OutputAsync(
            $"mkdir -p {lab.Folder} && zfs create -o mountpoint=none -o canmount=off {lab.Base}{lab.Delegation()}"
        );
        var id = $"client{Guid.NewGuid().ToString("N")[..6]}";
        var added = CommandJson.Result(
            (await lab.ServerAsync($"client add {id} --storage-type local {options} --json")).MustSucceed().Output
        );
        await lab.StartServerAsync();
        lab.Client = await ClientMachine.CreateAsync(
            host,
            lab.Url,
            id,
            added.GetProperty("api_key").GetString()!,
            "data"
        );
        return lab;
    }

    private string Delegation() =>
        Host.ServerUser is { } user
            ? $" && {ZfsDelegation.AllowLine(user, ZfsDelegation.ForStorage, DatasetName.Parse(Base))} && "
                + $"chown {user} {Folder}"
            : "";

    public async Task StartServerAsync()
    {
        await Host.OutputAsync(
            $"cd {Folder} && {{ setsid {_asServer}env {_environment} sh -c 'echo $$ > pid; exec zfs-server' >> log "
                + $"2>&1 < /dev/null & }}; for i in $(seq {Patience.SecondsOf(600)}); do {{ exec "
                + $"9<>/dev/tcp/127.0.0.1/{_port}; }} 2>/dev/null && exit 0; {ZfsHost.Pause}; done; cat {Folder}/log; "
                + "exit 1"
        );
    }

    public Task KillServerAsync() => Host.OutputAsync($"pid=$(cat {Folder}/pid); {IsServer} && kill -9 $pid");

    /// <summary>A process id may have become another's: on the stand-in it is one of this machine.</summary>
    private string IsServer => $"[ \"$(readlink /proc/$pid/cwd)\" = \"$(readlink -f {Folder})\" ]";

    public async Task StopServerAsync()
    {
        await Host.OutputAsync($"kill -TERM $(cat {Folder}/pid)");
        await WaitForServerEndAsync();
    }

    /// <summary>Waits until the server has ended, in whatever way.</summary>
    public Task WaitForServerEndAsync() =>
        Host.OutputAsync(
            $"timeout {Patience.SecondsOf(120)} tail --pid=$(cat {Folder}/pid) -s 0.1 -f /dev/null || {{ echo it runs "
                + "on; exit 1; }"
        );

    /// <summary>
    /// Has the server killed by the <c>zfs</c> that it runs, which otherwise is the real one: so the kill happens at a
    /// defined moment of a commit.
    /// </summary>
    /// <param name="moment"><c>before</c> or <c>after</c>, and how the command begins: <c>after receive</c>.</param>
    public async Task KillServerAtAsync(string moment)
    {
        var script = $$"""
            #!/bin/sh
            PATH=${PATH#*:}:/usr/sbin:/sbin
            read -r moment 2>/dev/null < {{Folder}}/moment || moment=never
            strike() { rm {{Folder}}/moment; kill -9 "$(cat {{Folder}}/pid)"; exit 1; }
            case "before $*" in "$moment"*) strike ;; esac
            zfs "$@" || exit
            case "after $*" in "$moment"*) strike ;; esac
            """;
        await Host.OutputAsync($"echo '{moment}' > {Folder}/moment");
        await WriteZfsAsync(script);
    }

    /// <summary>Puts a program before the real <c>zfs</c> of the server.</summary>
    private async Task WriteZfsAsync(string script) =>
        (
            await Host.RunAsync(
                $"mkdir -p {Folder}/bin && cat > {Folder}/bin/zfs.new && chmod 755 {Folder}/bin/zfs.new && mv "
                    + $"{Folder}/bin/zfs.new {Folder}/bin/zfs",
                Encoding.UTF8.GetBytes(script + "\n")
            )
        ).MustSucceed();

    /// <summary>Lets ZFS refuse a command of the server, as it does for a snapshot that is in use.</summary>
    public async Task RefuseAsync(string command)
    {
        var script = $$"""
            #!/bin/sh
            PATH=${PATH#*:}:/usr/sbin:/sbin
            [ "$1" != {{command}} ] || { echo "cannot {{command}}: dataset is busy" >&2; exit 1; }
            exec zfs "$@"
            """;
        await WriteZfsAsync(script);
    }

    public Task<string> LogAsync() => Host.OutputAsync($"cat {Folder}/log");

    /// <summary>Runs <c>zfs-server …</c> as its administrator does.</summary>
    /// <param name="settings">In the environment, besides the server's.</param>
    public Task<CommandResult> ServerAsync(string arguments, string settings = "") =>
        Host.RunAsync($"cd {Folder} && {_asServer}env {_environment} {settings} zfs-server {arguments}");

    /// <summary>Runs curl with the client's key.</summary>
    /// <param name="arguments">Where <c>URL</c> stands for the server's.</param>
    public async Task<CurlAnswer> CurlAsync(string arguments)
    {
        var result = await Host.RunAsync(
            $"curl -s -w '\\n%{{http_code}}' -H 'X-API-Key: {Client.Key}' "
                + $"{arguments.Replace("URL", Url, StringComparison.Ordinal)}"
        );
        var lines = result.MustSucceed().Output.TrimEnd('\n').Split('\n');
        return new CurlAnswer(
            int.Parse(lines[^1], System.Globalization.CultureInfo.InvariantCulture),
            string.Join('\n', lines[..^1])
        );
    }

    /// <summary>Announces a plain stream and sends what a line of shell prints.</summary>
    public async Task<CurlAnswer> SendAsync(string line, string dataset = "tank/sent")
    {
        var upload = (await CurlAsync($"-d '{{\"dataset_name\":\"{dataset}\",\"compression\":\"none\"}}' URL/upload"))
            .MustSucceed()
            .Json.GetProperty("upload_id")
            .GetString();
        await Host.RunAsync($"{line} > {Folder}/stream");
        return await CurlAsync($"-X POST -T {Folder}/stream URL/upload-stream/{upload}");
    }

    /// <summary>Creates files to compare as a tree, and some MiB that need many parts.</summary>
    public Task FillAsync(string name, int megabytes)
    {
        if (Host is ZfsHost)
            return Client.ShellAsync(
                $"cd /{Source} && mkdir -p {name} && head -c {megabytes}M /dev/urandom > {name}/large && head -c 60000 "
                    + $"/dev/urandom | split -b 3000 --numeric-suffixes=1 - {name}/f && ln -s large {name}/link && sync"
            );
        (string File, long Bytes)[] files = [($"{name}-large", (long)megabytes << 20), ($"{name}-small", 60_000)];
        return Host.WriteAsync(Source, [.. files.Where(file => file.Bytes > 0)]);
    }

    public Task<JsonElement> BackUpAsync() => Client.JsonAsync("zfs-client backup");

    /// <summary>Names of datasets and snapshots below the client's.</summary>
    public async Task<string[]> ReceivedNamesAsync() =>
        [
            .. (await Host.OutputAsync($"zfs list -H -r -t filesystem,volume,snapshot -o name {Parent}"))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Skip(1),
        ];

    public async Task AssertRestoresAsync(string snapshot, string target = "restored", string options = "")
    {
        await Client.JsonAsync($"zfs-restore latest {Client.Area}/{target} {options}");
        await AssertSameAsync(snapshot, target);
    }

    /// <summary>That a restored dataset has a snapshot, by its GUID and all its files.</summary>
    public Task AssertSameAsync(string snapshot, string target) =>
        Client.AssertSameAsync(snapshot, $"{Client.Area}/{target}");

    public async ValueTask DisposeAsync()
    {
        var ended = await Host.RunAsync(
            $"cat {Folder}/log; pid=$(cat {Folder}/pid) && {IsServer} && kill -9 $pid && tail --pid=$pid -s 0.1 -f "
                + "/dev/null; "
                + $"zfs destroy -R {Base} || {{ zfs list -H -r -t snapshot -o name {Base} | while read -r s; do zfs "
                + "holds -H $s | cut -f2 | while read -r t; do zfs release $t $s; done; done; for i in $(seq 100); do "
                + $"zfs destroy -R {Base} && break; sleep 0.1; done; }}; rm -rf {Folder}"
        );
        await File.WriteAllTextAsync(Path.Combine(Repository.NewFolder("local-server"), "log"), ended.Output);
        if (Client is not null)
            await Client.DisposeAsync();
    }
}
