using System.Diagnostics;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// This machine with a stand-in for <c>zfs</c> (tests/ZfsStandIn), for tests that only need streams and processes. Each
/// has a pool of its own, so that any number run at once.
/// </summary>
public sealed class StandInHost : ClientHost
{
    /// <summary>The same as on a machine with real ZFS.</summary>
    private const string Shell = "/bin/bash";

    private readonly string _state = Repository.NewFolder("stand-in");
    private readonly Dictionary<string, string> _environment;

    public StandInHost()
    {
        Pool = "tank";
        ServerAddress = "127.0.0.1";
        ProgramFolder =
            $"{Path.GetDirectoryName(Repository.StandIn)}:{Path.GetDirectoryName(Repository.Program("zfs-client"))}";
        _environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["PATH"] = $"{ProgramFolder}:{Environment.GetEnvironmentVariable("PATH")}",
            ["ZFS_STANDIN"] = _state,
        };
    }

    private string PoolFile => Path.Combine(_state, "state.json");

    private string CommandsFile => Path.Combine(_state, "commands");

    private string LimitFile => Path.Combine(_state, "send-limit");

    /// <summary>
    /// Lets each <c>zfs send</c> write so many bytes and then wait, until this is called with null. So a test finds it
    /// at work, however quick the machine is.
    /// </summary>
    internal void LimitSend(long? bytes)
    {
        if (bytes is null)
        {
            File.Delete(LimitFile);
            return;
        }

        File.WriteAllText($"{LimitFile}.new", $"{bytes}");
        File.Move($"{LimitFile}.new", LimitFile, overwrite: true);
    }

    /// <summary>Lets each <c>zfs send</c> crash after so many bytes, until this is called with null.</summary>
    internal void CrashSend(long? bytes)
    {
        var file = Path.Combine(_state, "send-crash");
        if (bytes is null)
            File.Delete(file);
        else
            File.WriteAllText(file, $"{bytes}");
    }

    /// <summary>From now on <c>zfs send -n</c> is refused, as old versions of ZFS do for some streams.</summary>
    internal void RefuseEstimates() => File.WriteAllText(Path.Combine(_state, "no-estimates"), "");

    /// <summary>Keeps from now on what commands are run.</summary>
    internal void NoteCommands() => File.WriteAllText(CommandsFile, "");

    /// <summary>The words of the commands that were run since <see cref="NoteCommands"/>.</summary>
    internal IReadOnlyList<string[]> NotedCommands() =>
        [.. File.ReadAllLines(CommandsFile).Select(line => line.Split('\t'))];

    /// <summary>All that the pool holds.</summary>
    internal byte[] SavePool() => File.ReadAllBytes(PoolFile);

    /// <summary>Puts the pool back to what it held.</summary>
    internal void RestorePool(byte[] saved) => File.WriteAllBytes(PoolFile, saved);

    internal override Task StartAsync() => Task.CompletedTask;

    internal override async Task<CommandResult> RunAsync(string line, byte[]? input = null) =>
        (await Command.RunAsync(Shell, ["-c", line], environment: _environment, input: input)) with
        {
            What = line,
        };

    internal override Process Start(string line) => Command.Start(Shell, ["-c", line], environment: _environment);

    internal override string? ServerUser => null;

    internal override string SyncLine => ":"; // each change is written down at once

    internal override string NewFolder(string purpose, string unique) => Repository.NewFolder(purpose);

    internal override async Task WriteAsync(string dataset, params (string File, long Bytes)[] files)
    {
        var all = string.Join(' ', files.Select(file => $"{file.File} {file.Bytes}"));
        await OutputAsync($"zfs stand-in write {dataset} {all}");
    }

    internal override Task RemoveAsync(string dataset, string file) =>
        OutputAsync($"zfs stand-in remove {dataset} {file}");

    internal override Task<string[]> DescribeAsync(params string[] snapshots) =>
        Task.WhenAll(snapshots.Select(snapshot => OutputAsync($"zfs stand-in describe {snapshot}")));

    internal override async Task KillAsync(string program, string folder, string signal)
    {
        var found = FindProcesses(program, folder).ToList();
        if (found.Count > 0)
            await Command.RunAsync("kill", [$"-{signal}", .. found]); // fails where one has ended meanwhile
    }

    /// <summary>Ids of processes.</summary>
    internal static IEnumerable<string> FindProcesses(string program, string folder) =>
        Directory
            .EnumerateDirectories("/proc")
            .Where(process => char.IsAsciiDigit(Path.GetFileName(process)[0]))
            .Where(process => IsOne(process, program, folder))
            .Select(process => Path.GetFileName(process)!);

    /// <summary>The pool is the client's own, and is removed with it.</summary>
    internal override async Task RemoveClientAsync(string area, string folder)
    {
        LimitSend(null);
        await KillAsync("zfs-client", folder, "KILL");
        await KillAsync("zfs-restore", folder, "KILL");
        await Patience.UntilAsync("the client's zfs commands have ended", () => !FindProcesses("zfs", folder).Any());
        Directory.Delete(folder, recursive: true);
        Directory.Delete(_state, recursive: true);
    }

    private static bool IsOne(string process, string program, string folder)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "comm")).TrimEnd('\n') == program
                && new FileInfo(Path.Combine(process, "cwd")).LinkTarget == folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // it has ended, or is not ours
        }
    }
}
