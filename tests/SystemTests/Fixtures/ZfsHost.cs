using ZfsSnapshotManager.SystemTests.Fixtures;

[assembly: AssemblyFixture(typeof(ZfsHost))]

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// The machine with real ZFS that clients run on: this one, if it has ZFS and the tests run as root, with a pool on a
/// file; else a virtual machine. Started by the first test that asks for it.
/// </summary>
public class ZfsHost : IAsyncLifetime
{
    private readonly string _machine;
    private readonly SemaphoreSlim _starting = new(1);
    private string[]? _shell;
    private string? _poolFile;

    public ZfsHost()
        : this("test") { }

    /// <param name="machine">The virtual machine's name.</param>
    protected ZfsHost(string machine) => _machine = machine;

    /// <summary>A pool that may be used freely.</summary>
    internal string Pool { get; private set; } = "";

    /// <summary>The address under which the clients reach a server that listens on this machine's 127.0.0.1.</summary>
    internal string ServerAddress { get; private set; } = "";

    /// <summary>Folder on the ZFS machine with the published programs.</summary>
    internal string ProgramFolder { get; private set; } = "";

    internal bool IsVirtualMachine => _poolFile is null;

    /// <summary>Its name for ssh.</summary>
    internal string SshHost { get; private set; } = "localhost";

    /// <summary>
    /// A program called ssh that knows how to reach it: ssh itself with its configuration; for this machine, the shell
    /// that sshd would start.
    /// </summary>
    internal string SshScript { get; private set; } = "#!/bin/bash\nexec /bin/sh -c \"${@: -1}\"\n";

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

    internal async Task StartAsync()
    {
        await _starting.WaitAsync();
        try
        {
            if (_shell is not null)
                return;
            if (File.Exists("/dev/zfs") && Environment.IsPrivilegedProcess)
                await UseThisMachineAsync();
            else
                await StartVirtualMachineAsync();
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>Runs a line of shell on the ZFS machine.</summary>
    internal async Task<CommandResult> RunAsync(string line, byte[]? input = null)
    {
        var shell = _shell ?? throw new InvalidOperationException("The ZFS machine is not started.");
        return (await Command.RunAsync(shell[0], [.. shell[1..], line], input: input)) with { What = line };
    }

    /// <summary>Starts a line of shell on the ZFS machine and leaves it running.</summary>
    internal System.Diagnostics.Process Start(string line)
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

    internal async Task<string> OutputAsync(string line) => (await RunAsync(line)).MustSucceed().Output.TrimEnd('\n');

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
