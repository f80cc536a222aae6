using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// <c>zfs-restore mount</c> with stand-ins for <c>zfs</c>, <c>mount</c> and <c>umount</c>: what it does when a step
/// fails. What ZFS itself does is in <see cref="RestoreTests"/>.
/// </summary>
public sealed class MountTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_is_left_of_a_mount_that_fails()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server, "echo no such device >&2; exit 32");

        var failed = await client.RunAsync($"PATH={client.Folder}/bin:$PATH zfs-restore mount {client.Area}/tree a/b");

        Assert.Equal(6, failed.ExitCode);
        Assert.Contains("no such device", failed.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(client.Folder, "a")));
    }

    [Fact]
    public async Task A_mount_that_is_stopped_in_the_middle_undoes_what_it_did()
    {
        await using var server = await ServerProcess.StartAsync();
        // The first dataset has the directories of its children; the last mount never ends.
        await using var client = await CreateAsync(
            server,
            """
            case $5 in
              */tree) mkdir -p "$6/one" "$6/two" ;;
              */two) touch waiting; exec sleep 300 ;;
            esac
            """
        );
        using var mount = client.Start($"PATH={client.Folder}/bin:$PATH exec zfs-restore mount {client.Area}/tree a/b");
        await Patience.UntilAsync("the last mount waits", () => File.Exists(Path.Combine(client.Folder, "waiting")));

        await client.KillAsync("zfs-restore", "INT");
        await mount.WaitForExitAsync(Token);

        Assert.Equal(130, mount.ExitCode);
        var at = $"{client.Folder}/a/b";
        Assert.Equal(
            [$"umount {at}/one", $"umount {at}"],
            (await File.ReadAllLinesAsync(Path.Combine(client.Folder, "log"), Token)).Where(line =>
                line.StartsWith("umount", StringComparison.Ordinal)
            )
        );
    }

    [Fact]
    public async Task What_would_hide_files_or_lead_elsewhere_is_not_mounted()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(
            server,
            """
            case $5 in
              */tree) mkdir -p "$6/one" elsewhere; touch "$6/one/file"; ln -s "$PWD/elsewhere" "$6/two" ;;
            esac
            """
        );

        var mounted = await client.RunAsync($"PATH={client.Folder}/bin:$PATH zfs-restore mount {client.Area}/tree a/b");

        Assert.Contains("with 0 of the 2 datasets", mounted.MustSucceed().Output, StringComparison.Ordinal);
        Assert.Contains("tree/one is not mounted: the directory", mounted.Error, StringComparison.Ordinal);
        Assert.Contains("is not empty", mounted.Error, StringComparison.Ordinal);
        Assert.Contains("a/b/two is not a directory", mounted.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_directory_that_cannot_be_created_costs_only_the_dataset_that_belongs_there()
    {
        await using var server = await ServerProcess.StartAsync();
        // In /proc no directory can be created, not even by root.
        await using var client = await CreateAsync(
            server,
            """
            case $5 in
              */tree) rmdir "$6" && ln -s /proc "$6" ;;
            esac
            """
        );

        var mounted = await client.RunAsync(
            $"PATH={client.Folder}/bin:$PATH zfs-restore mount {client.Area}/tree a/b --writable"
        );

        Assert.Contains("with 0 of the 2 datasets", mounted.MustSucceed().Output, StringComparison.Ordinal);
        Assert.Contains("tree/one is not mounted: the directory", mounted.Error, StringComparison.Ordinal);
        Assert.Contains("cannot be created", mounted.Error, StringComparison.Ordinal);
    }

    /// <param name="server">The client's server, which is not asked.</param>
    /// <param name="script">What <c>mount</c> does: its arguments are -t zfs -o OPTIONS DATASET DIRECTORY.</param>
    private static async Task<ClientMachine> CreateAsync(ServerProcess server, string script)
    {
        var client = await ClientMachine.CreateAsync(new StandInHost(), server, "tree", "tree/one", "tree/two");
        await client.ShellAsync($"for d in tree/two tree/one tree; do zfs unmount {client.Area}/$d; done");
        var bin = Directory.CreateDirectory(Path.Combine(client.Folder, "bin")).FullName;
        foreach (var (name, body) in (IEnumerable<(string, string)>)[("mount", script), ("umount", "")])
        {
            var path = Path.Combine(bin, name);
            await File.WriteAllTextAsync(
                path,
                $"#!/bin/sh\ncd {client.Folder}\necho \"{name} $*\" >> log\n{body}\n",
                Token
            );
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        return client;
    }
}
