using System.Text;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>
/// A <c>zfs</c>, and an <c>ssh</c>, that write down how they are called before they do it; and that may refuse first,
/// in the words of ZFS.
/// </summary>
internal sealed class CountedCommands
{
    private readonly ClientMachine _client;

    private CountedCommands(ClientMachine client) => _client = client;

    /// <summary>What to start a line with.</summary>
    public string Path => $"PATH={_client.Folder}/counted:$PATH";

    /// <param name="client">Whose commands.</param>
    /// <param name="refusal">Lines of shell that run before each command, with its arguments; they may end it.</param>
    /// <param name="sshDelay">How long each connection takes, in seconds.</param>
    public static async Task<CountedCommands> CreateAsync(
        ClientMachine client,
        string refusal = "",
        double sshDelay = 0
    )
    {
        var counted = new CountedCommands(client);
        // The real one stands behind this folder in PATH. Descriptors are those of the client.
        await counted.WriteAsync(
            "zfs",
            $$"""
            #!/bin/bash
            echo "$1 $(($# - 1))" >> {{client.Folder}}/calls
            {{refusal}}
            PATH=${PATH#*:} exec zfs "$@"
            """
        );
        await counted.WriteAsync(
            "ssh",
            $$"""
            #!/bin/bash
            echo "ssh $(($# - 1))" >> {{client.Folder}}/calls
            sleep {{sshDelay.ToString(System.Globalization.CultureInfo.InvariantCulture)}}
            exec /bin/sh -c "${@: -1}"
            """
        );
        return counted;
    }

    /// <summary>The commands since the last time: their names, without arguments.</summary>
    public async Task<string[]> TakeAsync()
    {
        var calls = await _client.ShellAsync($"cut -d ' ' -f 1 {_client.Folder}/calls; rm {_client.Folder}/calls");
        return calls.Split('\n');
    }

    private async Task WriteAsync(string name, string script) =>
        (
            await _client.Host.RunAsync(
                $"mkdir -p {_client.Folder}/counted && cd {_client.Folder}/counted && cat > {name} && chmod 755 {name}",
                Encoding.UTF8.GetBytes(script + "\n")
            )
        ).MustSucceed();
}
