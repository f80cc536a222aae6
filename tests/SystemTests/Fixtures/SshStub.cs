using System.Text;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>An <c>ssh</c> that runs its command on this machine, after some lines of a test.</summary>
internal static class SshStub
{
    /// <param name="client">Whose <c>ssh</c>.</param>
    /// <param name="lines">Lines of bash that may change <c>$command</c>; <c>$host</c> is the destination, <c>$here</c>
    /// the directory of the stub.</param>
    /// <returns>What to start a line with.</returns>
    public static async Task<string> PutAsync(ClientMachine client, string lines)
    {
        var script = $$"""
            #!/bin/bash
            here=$(dirname "$0")
            host=${@: -2:1}
            command=${@: -1}
            {{lines}}
            exec /bin/sh -c "$command"
            """;
        (
            await client.Host.RunAsync(
                // Another run may be starting the one from before.
                $"mkdir -p {client.Folder}/ssh && cd {client.Folder}/ssh && cat > new && chmod 755 new && mv new ssh",
                Encoding.UTF8.GetBytes(script + "\n")
            )
        ).MustSucceed();
        return $"PATH={client.Folder}/ssh:$PATH";
    }
}
