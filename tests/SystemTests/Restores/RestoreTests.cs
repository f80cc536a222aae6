using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>
/// A restore makes exactly what was asked for, and harms nothing that is there.
/// </summary>
[Collection("zfs-2")]
public sealed class RestoreTests(SecondZfsHost host)
{
    /// <summary>So that parts are received before the damaged one.</summary>
    private static readonly Dictionary<string, string> SmallParts = new(StringComparer.Ordinal)
    {
        ["PART_SIZE_MIB"] = "1",
    };

    [Fact]
    public async Task A_restored_dataset_is_neither_mounted_now_nor_at_the_next_boot()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateBackedUpClientAsync(server);

        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");

        Assert.Equal(
            "no\nnoauto",
            await client.ShellAsync($"zfs get -H -o value mounted,canmount {client.Area}/restored")
        );
        await client.ShellAsync("zfs mount -a");
        Assert.Equal("no", await client.ShellAsync($"zfs get -H -o value mounted {client.Area}/restored"));
    }

    [Fact]
    public async Task An_existing_dataset_is_replaced_only_with_force()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateBackedUpClientAsync(server);
        var place = $"{client.Folder}/place";
        await client.ShellAsync(
            $"zfs create -o mountpoint={place} {client.Area}/target && echo precious > {place}/file"
        );

        var refused = await client.RunAsync($"zfs-restore latest {client.Area}/target");
        Assert.Equal(9, refused.ExitCode);
        Assert.Contains("--force", refused.Error, StringComparison.Ordinal);
        Assert.Equal("precious", await client.ShellAsync($"cat {place}/file"));

        await client.JsonAsync($"zfs-restore latest {client.Area}/target --source {client.Area}/data -f");
        Assert.Equal(
            await client.GuidOfAsync((await client.SnapshotsOfAsync($"{client.Area}/data"))[0]),
            await client.GuidOfAsync((await client.SnapshotsOfAsync($"{client.Area}/target"))[0])
        );
        Assert.Equal("small", await client.ShellAsync($"cat {place}/small"));
        Assert.Equal(
            $"{place}\tlocal\non\tdefault",
            await client.ShellAsync($"zfs get -H -o value,source mountpoint,canmount {client.Area}/target")
        );
        await AssertNoTracesAsync(client);
    }

    [Fact]
    public async Task A_forced_restore_that_fails_leaves_the_old_dataset_as_it_was()
    {
        await using var server = await ServerProcess.StartAsync(SmallParts);
        await using var client = await CreateBackedUpClientAsync(server);
        await client.ShellAsync($"zfs create {client.Area}/target && echo precious > /{client.Area}/target/file");
        DamageLargestObject(server);

        var result = await client.RunAsync(
            $"zfs-restore latest {client.Area}/target --source {client.Area}/data --force"
        );

        Assert.Equal(7, result.ExitCode);
        Assert.Equal("precious", await client.ShellAsync($"cat /{client.Area}/target/file"));
        await AssertNoTracesAsync(client);
    }

    [Fact]
    public async Task A_dataset_in_use_is_not_replaced_and_what_was_received_waits_for_it()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateBackedUpClientAsync(server);
        await client.ShellAsync($"zfs create {client.Area}/target && echo precious > /{client.Area}/target/file");
        using var user = client.Start($"cd /{client.Area}/target && exec sleep 300");

        await Patience.UntilAsync("the dataset is in use", async () =>
            (await host.RunAsync($"ls -l /proc/[0-9]*/cwd 2>/dev/null | grep -q '{client.Area}/target$'")).ExitCode == 0
        );
        var result = await client.RunAsync(
            $"zfs-restore latest {client.Area}/target --source {client.Area}/data --force"
        );
        await host.RunAsync("pkill -x sleep");
        await user.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(6, result.ExitCode);
        Assert.Contains("busy", result.Error, StringComparison.Ordinal);
        Assert.Contains(
            $"What was received is kept in {client.Area}/target.restoring",
            result.Error,
            StringComparison.Ordinal
        );
        Assert.Equal("precious", await client.ShellAsync($"cat /{client.Area}/target/file"));
        var again = await client.RunAsync(
            $"zfs-restore latest {client.Area}/target --source {client.Area}/data --force"
        );
        Assert.Contains("everything already received", again.MustSucceed().Error, StringComparison.Ordinal);
        Assert.NotEqual(0, (await client.RunAsync($"grep -q precious /{client.Area}/target/file")).ExitCode);
        await AssertNoTracesAsync(client);
    }

    [Fact]
    public async Task A_damaged_backup_is_found_on_the_way_and_nothing_is_restored()
    {
        await using var server = await ServerProcess.StartAsync(SmallParts);
        await using var client = await CreateBackedUpClientAsync(server);
        DamageLargestObject(server);

        var result = await client.RunAsync($"zfs-restore latest {client.Area}/restored");

        Assert.Equal(7, result.ExitCode);
        Assert.Contains("is damaged", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(
            $"{client.Area}/restored",
            await client.ShellAsync("zfs list -H -o name"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_failing_zfs_receive_shows_ZFS_own_words_and_a_remedy()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateBackedUpClientAsync(server);

        var missingParent = await client.RunAsync($"zfs-restore latest {client.Area}/no/such/parent");
        await client.ShellAsync($"zfs create -o quota=1M {client.Area}/small");
        var full = await client.RunAsync($"zfs-restore latest {client.Area}/small/restored");

        Assert.Equal(6, missingParent.ExitCode);
        Assert.Contains("does not exist", missingParent.Error, StringComparison.Ordinal);
        Assert.Equal(10, full.ExitCode);
        Assert.Matches("quota|space", full.Error);
    }

    [Fact]
    public async Task Mount_shows_the_files_and_hides_nothing()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateBackedUpClientAsync(server);
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");
        await client.ShellAsync($"mkdir -p {client.Folder}/full && echo mine > {client.Folder}/full/file");

        var hiding = await client.RunAsync($"zfs-restore mount {client.Area}/restored {client.Folder}/full");
        var mounted = await client.JsonAsync($"zfs-restore mount {client.Area}/restored look");
        var again = await client.RunAsync($"zfs-restore mount {client.Area}/restored elsewhere");

        Assert.Equal(9, hiding.ExitCode);
        Assert.Contains("not empty", hiding.Error, StringComparison.Ordinal);
        Assert.Equal("mine", await client.ShellAsync($"cat {client.Folder}/full/file"));
        Assert.Equal($"{client.Folder}/look", mounted.GetProperty("mountpoint").GetString());
        Assert.Equal("small", await client.ShellAsync($"cat {client.Folder}/look/small"));
        Assert.NotEqual(0, (await host.RunAsync($"touch {client.Folder}/look/new")).ExitCode);
        Assert.Equal(9, again.ExitCode);
        await client.ShellAsync($"zfs unmount {client.Area}/restored");
        await client.JsonAsync($"zfs-restore mount {client.Area}/restored look --writable");
        await client.ShellAsync($"touch {client.Folder}/look/new && zfs unmount {client.Area}/restored");
    }

    [Fact]
    public async Task Mount_shows_a_tree_and_changes_no_property()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(
            host,
            server,
            "data",
            "data/child",
            "data/child/below"
        );
        await client.ShellAsync(
            $"zfs create -o mountpoint={client.Folder}/own {client.Area}/data/own && zfs create -V 1M "
                + $"{client.Area}/data/volume && cd /{client.Area}/data && echo top > file && echo below > "
                + "child/below/file"
        );
        await client.ResultsAsync("zfs-client backup --recursive");
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored --source {client.Area}/data --recursive");
        await client.ShellAsync($"zfs set mountpoint=legacy {client.Area}/restored/child");
        var properties = $"zfs get -H -r mountpoint,canmount {client.Area}/restored";
        var before = await client.ShellAsync(properties);

        var mounted = await client.RunAsync($"zfs-restore mount {client.Area}/restored look/here");

        Assert.Contains(
            "read-only, with 2 of the 4 datasets below it",
            mounted.MustSucceed().Output,
            StringComparison.Ordinal
        );
        Assert.Contains("umount -R", mounted.Output, StringComparison.Ordinal);
        Assert.Contains("restored/own is not mounted: the directory", mounted.Error, StringComparison.Ordinal);
        Assert.Contains("restored/volume is not mounted: it is a volume", mounted.Error, StringComparison.Ordinal);
        var look = $"{client.Folder}/look/here";
        Assert.Equal("top\nbelow", await client.ShellAsync($"cat {look}/file {look}/child/below/file"));
        Assert.NotEqual(0, (await host.RunAsync($"touch {look}/child/below/new")).ExitCode);
        Assert.Equal(before, await client.ShellAsync(properties));
        await client.ShellAsync($"umount {look}/child/below && umount {look}/child && umount {look}");
    }

    [Fact]
    public async Task A_dataset_that_cannot_be_mounted_leaves_no_directory_and_no_property()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server);
        await client.ShellAsync(
            $"echo password | zfs create -u {Passphrase.Options} {client.Area}/locked && zfs "
                + $"unload-key {client.Area}/locked"
        );

        var locked = await client.RunAsync($"zfs-restore mount {client.Area}/locked look/here");

        Assert.Equal(9, locked.ExitCode);
        Assert.Contains($"zfs load-key {client.Area}/locked", locked.Error, StringComparison.Ordinal);
        Assert.NotEqual(0, (await host.RunAsync($"test -e {client.Folder}/look")).ExitCode);
        Assert.Equal("", await client.ShellAsync($"zfs get -H -s local mountpoint,canmount {client.Area}/locked"));
    }

    /// <summary>A client with one backup of some megabytes.</summary>
    private async Task<ClientMachine> CreateBackedUpClientAsync(ServerProcess server)
    {
        var client = await ClientMachine.CreateAsync(host, server, "data");
        await client.ShellAsync(
            $"cd /{client.Area}/data && head -c 3M /dev/urandom > large && echo small > small && sync"
        );
        await client.JsonAsync("zfs-client backup");
        return client;
    }

    private static void DamageLargestObject(ServerProcess server)
    {
        var largest = new DirectoryInfo(Path.Combine(server.DataFolder, "objects"))
            .EnumerateFiles("*.zfs.gz", SearchOption.AllDirectories)
            .MaxBy(file => file.Length)!;
        using var file = largest.Open(FileMode.Open, FileAccess.ReadWrite);
        file.Position = file.Length / 2;
        var value = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(value ^ 1));
    }

    /// <summary>No dataset under one of the names that a restore uses on its way.</summary>
    private static async Task AssertNoTracesAsync(ClientMachine client)
    {
        var names = await client.ShellAsync($"zfs list -H -r -o name {client.Area}");
        Assert.DoesNotContain(".restoring", names, StringComparison.Ordinal);
        Assert.DoesNotContain(".replaced", names, StringComparison.Ordinal);
    }
}
