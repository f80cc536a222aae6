using System.Diagnostics;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// Where clients run: a machine with real ZFS (<see cref="ZfsHost"/>), or this one with a stand-in for <c>zfs</c>
/// (<see cref="StandInHost"/>). A scenario that is written for it runs on both.
/// </summary>
public abstract class ClientHost
{
    /// <summary>A pool that may be used freely.</summary>
    internal string Pool { get; private protected set; } = "";

    /// <summary>The address under which the clients reach a server that listens on this machine's 127.0.0.1.</summary>
    internal string ServerAddress { get; private protected set; } = "";

    /// <summary>Directory on that machine with the published programs; a PATH.</summary>
    internal string ProgramFolder { get; private protected set; } = "";

    /// <summary>Its name for ssh.</summary>
    internal string SshHost { get; private protected set; } = "localhost";

    /// <summary>
    /// A program called ssh that knows how to reach it: ssh itself with its configuration; for this machine, the shell
    /// that sshd would start.
    /// </summary>
    internal string SshScript { get; private protected set; } = "#!/bin/bash\nexec /bin/sh -c \"${@: -1}\"\n";

    internal abstract Task StartAsync();

    /// <summary>Runs a line of shell there.</summary>
    internal abstract Task<CommandResult> RunAsync(string line, byte[]? input = null);

    /// <summary>Starts a line of shell there and leaves it running.</summary>
    internal abstract Process Start(string line);

    internal async Task<string> OutputAsync(string line) => (await RunAsync(line)).MustSucceed().Output.TrimEnd('\n');

    /// <summary>The ordinary user that a server runs as there; null: whoever runs the tests.</summary>
    internal abstract string? ServerUser { get; }

    /// <summary>A line of shell that has the pool write down what it was given.</summary>
    internal abstract string SyncLine { get; }

    /// <summary>The directory of a new client or server.</summary>
    internal abstract string NewFolder(string purpose, string unique);

    /// <summary>Writes files of random data, new ones or over old ones, and waits until they are in the pool.</summary>
    internal abstract Task WriteAsync(string dataset, params (string File, long Bytes)[] files);

    /// <summary>Removes a file if it exists.</summary>
    internal abstract Task RemoveAsync(string dataset, string file);

    /// <summary>
    /// The GUID and all that each of some snapshots holds, as text: equal texts mean equal contents. A line of shell
    /// for all of them.
    /// </summary>
    internal abstract Task<string[]> DescribeAsync(params string[] snapshots);

    /// <summary>Sends a signal to the processes of a name that work in a directory, and to no others.</summary>
    /// <param name="program">Its name, as the kernel knows it.</param>
    /// <param name="folder">The directory.</param>
    /// <param name="signal">Such as KILL.</param>
    internal abstract Task KillAsync(string program, string folder, string signal);

    /// <summary>Removes a client: its processes, its datasets, held or not, and its directory.</summary>
    internal abstract Task RemoveClientAsync(string area, string folder);
}
