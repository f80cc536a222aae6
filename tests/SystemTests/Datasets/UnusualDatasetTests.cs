using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>Unusual datasets.</summary>
[Collection("zfs")]
public sealed class UnusualDatasetTests(ZfsHost host)
{
    [Fact]
    public async Task A_clone_is_backed_up_by_itself_with_large_dnodes_and_a_long_name()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        var clone = $"{client.Area}/{new string('c', 100)}";
        await client.ShellAsync(
            $"cd /{client.Area}/data && zfs set dnodesize=auto xattr=sa {client.Area}/data && for i in $(seq 50); do "
                + "echo $i > file$i && setfattr -n user.note -v \"$(head -c 700 /dev/zero | tr '\\0' x)$i\" file$i; "
                + $"done && zfs snapshot {client.Area}/data@origin && zfs clone -o dnodesize=auto -o xattr=sa "
                + $"{client.Area}/data@origin {clone} && echo changed > /{clone}/file1"
        );

        var full = await client.JsonAsync($"zfs-client backup --dataset {clone}");
        await client.ShellAsync($"rm /{clone}/file2 && setfattr -n user.note -v other /{clone}/file3");
        var incremental = await client.JsonAsync($"zfs-client backup --dataset {clone}");
        await client.JsonAsync($"zfs-restore latest {client.Area}/restored");

        Assert.Equal(
            ("full", "incremental"),
            (full.GetProperty("kind").GetString(), incremental.GetProperty("kind").GetString())
        );
        var snapshot = incremental.GetProperty("snapshot").GetString()!;
        await client.AssertSameAsync(snapshot, $"{client.Area}/restored");
    }

    /// <summary>ZFS itself would not mark the copy: if that changes, such datasets can be backed up.</summary>
    [Fact]
    public async Task A_redacted_dataset_is_refused_before_anything_is_sent()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        var (data, redacted) = ($"{client.Area}/data", $"{client.Area}/redacted");
        await client.ShellAsync(
            $"echo secret > /{data}/secret && yes public | head -c 500000 > /{data}/public && zfs snapshot {data}@a "
                + $"&& zfs clone {data}@a {client.Area}/clone && rm /{client.Area}/clone/secret && zfs snapshot "
                + $"{client.Area}/clone@r && zfs redact {data}@a book {client.Area}/clone@r && zfs send --redact "
                + $"book {data}@a | zfs receive -u {redacted}"
        );

        var refused = await client.RunAsync($"zfs-client backup --dataset {redacted}");
        await client.ShellAsync(
            $"zfs snapshot {redacted}@b && zfs send {redacted}@b | zfs receive -u {client.Area}/copy"
        );

        Assert.Equal(9, refused.ExitCode);
        Assert.Contains("is a redacted dataset", refused.Error, StringComparison.Ordinal);
        Assert.Equal([$"{redacted}@a", $"{redacted}@b"], await client.SnapshotsOfAsync(redacted));
        Assert.Empty(await client.ListBackupsAsync());
        Assert.Equal("0\n1", await client.ShellAsync($"zfs get -H -p -o value redacted {client.Area}/copy {redacted}"));
    }

    /// <summary>
    /// Such a pool needs no device of its own: it lies in a file. What the stand-in says about it is what this does.
    /// </summary>
    [Fact]
    public async Task In_a_pool_without_bookmarks_the_snapshot_is_the_base_of_the_next_backup()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        var pool = $"old{Guid.NewGuid().ToString("N")[..8]}";
        await client.ShellAsync(
            $"truncate -s 128M {client.Folder}/pool && zpool create -d {pool} {client.Folder}/pool && zfs create "
                + $"{pool}/d && echo one > /{pool}/d/file"
        );
        try
        {
            var doctor = await client.RunAsync($"zfs-client doctor --dataset {pool}/d");
            var first = await client.RunAsync($"zfs-client backup --dataset {pool}/d");
            await client.ShellAsync($"echo two > /{pool}/d/file");
            var second = await client.JsonAsync($"zfs-client backup --dataset {pool}/d");
            await client.JsonAsync($"zfs-client rotate --dataset {pool}/d");
            var third = await client.JsonAsync($"zfs-client backup --dataset {pool}/d");

            Assert.Contains("feature@bookmarks is off", doctor.Output, StringComparison.Ordinal);
            first.MustSucceed();
            Assert.Contains("the snapshots themselves are the bases", first.Error, StringComparison.Ordinal);
            Assert.Equal("incremental", second.GetProperty("kind").GetString());
            Assert.Equal("incremental", third.GetProperty("kind").GetString());
            var snapshots = await client.SnapshotsOfAsync($"{pool}/d");
            Assert.Equal(third.GetProperty("base").GetString(), second.GetProperty("snapshot").GetString());
            Assert.Empty(await client.ShellAsync($"zfs holds -H {string.Join(' ', snapshots)}"));
        }
        finally
        {
            await client.ShellAsync($"zpool destroy -f {pool}");
        }
    }

    [Fact]
    public async Task A_pool_that_is_imported_read_only_is_named_and_the_others_are_backed_up()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        var pool = $"ro{Guid.NewGuid().ToString("N")[..8]}";
        await client.ShellAsync(
            $"truncate -s 128M {client.Folder}/pool && zpool create {pool} {client.Folder}/pool && zfs create {pool}/d "
                + $"&& zpool export {pool} && zpool import -d {client.Folder} -o readonly=on {pool}"
        );
        try
        {
            var backup = await client.RunAsync($"zfs-client backup --dataset {pool}/d,{client.Area}/data");
            var doctor = await client.RunAsync($"zfs-client doctor --dataset {pool}/d");
            var restoreDoctor = await client.RunAsync($"zfs-restore doctor {pool}");
            var restore = await client.RunAsync($"zfs-restore latest {pool}/restored --source {client.Area}/data");

            Assert.Equal(6, backup.ExitCode);
            Assert.Contains($"Backed up {client.Area}/data@", backup.Output, StringComparison.Ordinal);
            Assert.Matches($"{pool}/d is not backed up: .*read-only", backup.Error);
            foreach (var diagnosis in (CommandResult[])[doctor, restoreDoctor])
            {
                Assert.Matches($"failed +pool: {pool} is imported read-only", diagnosis.Output);
                Assert.Contains($"zpool import {pool}", diagnosis.Output, StringComparison.Ordinal);
            }

            Assert.Equal(6, restore.ExitCode);
            Assert.Contains("import it for writing", restore.Error, StringComparison.Ordinal);
        }
        finally
        {
            await client.ShellAsync(
                $"zpool export {pool}; zpool import -d {client.Folder} {pool}; zpool destroy -f {pool}"
            );
        }
    }
}
