using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.UnitTests.Server;

namespace ZfsSnapshotManager.UnitTests.Zfs;

/// <summary>A <c>zfs</c>, or an <c>ssh</c>, that is a script; it notes each time that it is run.</summary>
internal sealed class ScriptedPrograms : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Calls => Path.Combine(_folder.Path, "calls");

    /// <summary>How often one of them was run.</summary>
    public int Count => File.Exists(Calls) ? File.ReadAllLines(Calls).Length : 0;

    /// <param name="script">Lines of a POSIX shell.</param>
    public ZfsHost Zfs(string script) => new(null, Write("zfs", script));

    /// <param name="script">Lines of a POSIX shell; <c>$names</c> has what follows the options of the command.</param>
    public ZfsHost Ssh(string script) =>
        new(
            ZfsRemoteHost.Parse("root@nas"),
            Write(
                "ssh",
                $"""
                for last; do :; done
                names=$(echo "$last" | tr ' ' '\n' | grep ^tank/)
                {script}
                """
            )
        );

    public void Dispose() => _folder.Dispose();

    private string Write(string name, string script)
    {
        var file = Path.Combine(_folder.Path, name);
        File.WriteAllText(file, $"#!/bin/sh\necho run >> {Calls}\n{script}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return _folder.Path;
    }
}
