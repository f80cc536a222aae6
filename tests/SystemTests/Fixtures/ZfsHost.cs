using ZfsSnapshotManager.SystemTests.Fixtures;

[assembly: AssemblyFixture(typeof(ZfsHost))]

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// The machine with real ZFS that clients run on: this one, if it has ZFS and the tests run as root, with a pool on a
/// file; else a virtual machine. Started by the first test that asks for it.
/// </summary>
public class ZfsHost : ClientHost, IAsyncLifetime
{
    /// <summary>
    /// For a loop of bash there: waits 0.1 s without a program, each of which costs such a machine some 10 ms.
    /// </summary>
    internal const string Pause = "read -rt 0.1 <> <(:)";

    private readonly string _machine;
    private readonly SemaphoreSlim _starting = new(1);
    private string[]? _shell;
    private string? _poolFile;

    public ZfsHost()
        : this("test") { }

    /// <param name="machine">The virtual machine's name.</param>
    protected ZfsHost(string machine) => _machine = machine;

    internal bool IsVirtualMachine => _poolFile is null;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_shell is null)
            return;
        if (_poolFile is null)
        {
            (
                await Command.RunAsync(Path.Combine(Repository.Root, "zfs-vm"), ["stop", "--name", _machine])
            ).MustSucceed();
        }
        else
        {
            await RunAsync($"zpool destroy -f {Pool}");
            File.Delete(_poolFile);
        }
    }

    internal override async Task StartAsync()
    {
        await _starting.WaitAsync();
        try
        {
            if (_shell is not null)
                return;
            var asked = Environment.GetEnvironmentVariable("ZFS_VM_ZFS"); // another version than this machine's
            if (string.IsNullOrEmpty(asked) && File.Exists("/dev/zfs") && Environment.IsPrivilegedProcess)
                await UseThisMachineAsync();
            else
                await StartVirtualMachineAsync();
        }
        finally
        {
            _starting.Release();
        }
    }

    internal override async Task<CommandResult> RunAsync(string line, byte[]? input = null)
    {
        var shell = _shell ?? throw new InvalidOperationException("The ZFS machine is not started.");
        return (await Command.RunAsync(shell[0], [.. shell[1..], line], input: input)) with { What = line };
    }

    /// <returns>Of OpenZFS, such as 2.3.2.</returns>
    internal async Task<string> VersionAsync() =>
        (await OutputAsync("zfs version | sed -n '1s/^zfs-\\([0-9.]*\\).*/\\1/p'")).Trim();

    internal override System.Diagnostics.Process Start(string line)
    {
        var shell = _shell ?? throw new InvalidOperationException("The ZFS machine is not started.");
        return Command.Start(shell[0], [.. shell[1..], line]);
    }

    /// <summary>
    /// Waits until a line of shell succeeds; it is tried there, since each call from here costs the machine more than
    /// the line.
    /// </summary>
    internal async Task WaitForAsync(string what, string condition)
    {
        var tries = Patience.SecondsOf(60 * 5);
        var result = await RunAsync(
            $"for i in $(seq {tries}); do if {condition}; then exit 0; fi; sleep 0.2; done; exit 1"
        );
        Assert.True(result.ExitCode == 0, $"Did not come about: {what} ({condition})\n{result.Text}");
    }

    internal override string? ServerUser => "backup";

    internal override string SyncLine => $"zpool sync {Pool}";

    internal override string NewFolder(string purpose, string unique) => $"/tmp/{purpose}-{unique}";

    internal override async Task WriteAsync(string dataset, params (string File, long Bytes)[] files)
    {
        var all = files.Select(file => $"head -c {file.Bytes} /dev/urandom > {file.File}");
        await OutputAsync($"cd /{dataset} && {string.Join(" && ", all)} && sync");
    }

    internal override Task RemoveAsync(string dataset, string file) => OutputAsync($"rm -f /{dataset}/{file}");

    /// <summary>
    /// The GUID; one line for every file, directory and link: type, mode, owner, size, time, link target; a digest of
    /// the contents of every file; extended attributes. Sorted here, since each program costs the machine some time.
    /// </summary>
    internal override async Task<string[]> DescribeAsync(params string[] snapshots)
    {
        // A clone shows a snapshot's files without changing its dataset, mounted or not.
        var area = string.Join('/', snapshots[0].Split('/').Take(2));
        var clone = $"look{Guid.NewGuid().ToString("N")[..8]}";
        var looks = snapshots.Select((snapshot, i) => $"look '{snapshot}' {area}/{clone}{i} /tmp/{clone}{i}");
        var output = await OutputAsync(
            "look() { zfs get -H -o value guid \"$1\" && zfs clone -o mountpoint=$3 -o atime=off \"$1\" $2 || exit 1; "
                + "( cd $3 && find . -printf '%P|%y|%m|%U|%G|%s|%T@|%l|%n\\n' -type f -exec sha256sum {} + && echo "
                + "=attributes && getfattr -R -P -h -d -m - -e hex . 2>/dev/null ); code=$?; zfs destroy $2; "
                + "rmdir $3 2>/dev/null; echo "
                + $"=end; [ $code = 0 ] || exit $code; }}; {string.Join("; ", looks)}"
        );
        return [.. output.Split("=end", StringSplitOptions.RemoveEmptyEntries).Select(Sort)];
    }

    private static string Sort(string description)
    {
        var (files, attributes) = description.Split("=attributes\n") is [var first, var second]
            ? (first, second)
            : throw new InvalidOperationException($"A snapshot was not described whole: {description}");
        return string.Join('\n', files.Trim('\n').Split('\n').Order(StringComparer.Ordinal))
            + "\n"
            + string.Join("\n\n", attributes.Split("\n\n").Order(StringComparer.Ordinal));
    }

    internal override Task KillAsync(string program, string folder, string signal) =>
        OutputAsync(
            $"for p in $(pgrep -x {program}); do [ \"$(readlink /proc/$p/cwd)\" = {folder} ] && kill -{signal} $p; "
                + "done; true"
        );

    internal override Task RemoveClientAsync(string area, string folder) =>
        RunAsync(
            $"zfs destroy -R {area} || {{ zfs list -H -o name -t snapshot -r {area} | while read -r s; do zfs holds -H "
                + "\"$s\" | cut -f 2 | while read -r t; do zfs release \"$t\" \"$s\"; done; done; zfs destroy -R "
                + $"{area}; }}; rm -rf {folder}"
        );

    private async Task UseThisMachineAsync()
    {
        _poolFile = Path.Combine(Repository.NewFolder("pool"), "disk");
        await using (var file = File.Create(_poolFile))
            file.SetLength(3L << 30);
        Pool = $"zsmtest{Guid.NewGuid().ToString("N")[..8]}";
        _shell = ["bash", "-c"];
        ServerAddress = "127.0.0.1";
        ProgramFolder = Path.Combine(Repository.Root, "artifacts", "bin");
        (await RunAsync($"zpool create -O mountpoint=/tmp/{Pool} {Pool} {_poolFile}")).MustSucceed();
    }

    private async Task StartVirtualMachineAsync()
    {
        var script = Path.Combine(Repository.Root, "zfs-vm");
        (await Command.RunAsync(script, ["reset", "--hard", "--name", _machine])).MustSucceed();
        var facts = (await Command.RunAsync(script, ["env", "--name", _machine]))
            .MustSucceed()
            .Output.Split('\n')
            .Select(line => line.Split('=', 2))
            .Where(pair => pair.Length == 2)
            .ToDictionary(pair => pair[0], pair => pair[1]);
        _shell = ["ssh", "-F", facts["ZFS_VM_SSH_CONFIG"], facts["ZFS_VM_SSH_HOST"]];
        SshHost = facts["ZFS_VM_SSH_HOST"];
        SshScript = $"#!/bin/sh\nexec /usr/bin/ssh -F '{facts["ZFS_VM_SSH_CONFIG"]}' \"$@\"\n";
        ServerAddress = facts["ZFS_VM_HOST_ADDRESS"];
        ProgramFolder = "/usr/local/bin";
        Pool = "tank";
        foreach (var program in (string[])["zfs-client", "zfs-restore", "zfs-server"])
        {
            var path = $"{ProgramFolder}/{program}";
            (
                await RunAsync(
                    $"cat > {path} && chmod 755 {path}",
                    await File.ReadAllBytesAsync(Repository.Program(program))
                )
            ).MustSucceed();
        }
    }
}
