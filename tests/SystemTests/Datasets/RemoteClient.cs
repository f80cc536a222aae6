using System.Diagnostics;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>The programs run on this machine, with the settings of a client whose <c>zfs</c> is on another.</summary>
internal sealed class RemoteClient : IAsyncDisposable
{
    private readonly string _folder = Repository.NewFolder("remote");
    private readonly Dictionary<string, string> _environment;

    private RemoteClient(ClientMachine client, string destination) =>
        _environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["CLIENT_ID"] = client.Id,
            ["API_KEY"] = client.Key,
            ["SERVER_URL"] = $"http://127.0.0.1:{client.Server.Port}",
            ["LOCAL_DATASET"] = $"{client.Area}/my data",
            ["ZFS_SSH_HOST"] = destination,
            ["PATH"] = $"{_folder}:{Environment.GetEnvironmentVariable("PATH")}",
        };

    /// <param name="client">Whose datasets.</param>
    /// <param name="destination">What ZFS_SSH_HOST says; null: the machine with ZFS.</param>
    public static async Task<RemoteClient> CreateAsync(ClientMachine client, string? destination = null)
    {
        var remote = new RemoteClient(client, destination ?? client.Host.SshHost);
        var ssh = Path.Combine(remote._folder, "ssh");
        await File.WriteAllTextAsync(ssh, client.Host.SshScript);
        File.SetUnixFileMode(ssh, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return remote;
    }

    public Task<CommandResult> RunAsync(string program, params string[] arguments) =>
        Command.RunAsync(Repository.Program(program), arguments, _folder, _environment);

    /// <summary>Starts a program and leaves it running.</summary>
    /// <param name="settings">Besides the others.</param>
    public Process Start(string program, string argument, params (string Name, string Value)[] settings)
    {
        var environment = new Dictionary<string, string>(_environment, StringComparer.Ordinal);
        foreach (var (name, value) in settings)
            environment[name] = value;
        return Command.Start(Repository.Program(program), [argument], _folder, environment);
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }
}
