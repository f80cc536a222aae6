using ZfsSnapshotManager.SystemTests.Backups;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>What the programs find at the other end of ssh, on the stand-in for <c>zfs</c>.</summary>
public sealed class SshAccountTests
{
    /// <summary>A login shell that greets stands before every answer, and before every stream.</summary>
    [Fact]
    public async Task An_account_that_prints_text_of_its_own_is_named_by_every_command()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        (await client.RunAsync("zfs-client backup")).MustSucceed();
        var nas = $"{await SshStub.PutAsync(client, "echo Welcome to nas")} ZFS_SSH_HOST=nas";

        foreach (
            var line in (string[])
                [
                    "zfs-client backup",
                    "zfs-client snapshot hourly",
                    "zfs-client rotate",
                    "zfs-client bookmarks",
                    "zfs-client doctor",
                    $"zfs-restore latest {client.Area}/restored",
                ]
        )
        {
            var run = await client.RunAsync($"{nas} {line}");

            Assert.True(run.ExitCode == 6, $"{line}: exit code {run.ExitCode}: {run.Text}");
            Assert.Contains("prints text of its own", run.Text, StringComparison.Ordinal);
            Assert.DoesNotContain("report", run.Text, StringComparison.Ordinal);
        }

        Assert.Single(await client.ListBackupsAsync());
    }

    /// <summary>A failover pair, or two machines that manage one appliance: locks do not exclude them.</summary>
    [Fact]
    public async Task A_run_on_another_host_ends_while_one_sends_and_touches_nothing_of_it()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        var ssh = await SshStub.PutAsync(lab.Client, "");
        using var first = await lab.BeginAsync($"{ssh} ZFS_SSH_HOST=nas");
        var snapshot = Assert.Single(await lab.Client.SnapshotsOfAsync(lab.Dataset));
        await lab.Client.ShellAsync(
            $"m=zfs-snapshot-manager:upload; v=$(zfs get -H -o value $m {snapshot}) && "
                + $"zfs set \"$m=$(echo \"$v\" | sed 's,/[0-9a-f]*-,/ffffffff-,')\" {snapshot}"
        );

        var second = await lab.Client.RunAsync($"{ssh} ZFS_SSH_HOST=root@nas zfs-client backup");
        var doctor = await lab.Client.RunAsync($"{ssh} ZFS_SSH_HOST=root@nas zfs-client doctor");

        Assert.True(second.ExitCode == 9, second.Text);
        Assert.Contains("A run on another host is backing up", second.Error, StringComparison.Ordinal);
        Assert.Contains("a run on another host is sending", doctor.Output, StringComparison.Ordinal);
        Assert.Equal([snapshot], await lab.Client.SnapshotsOfAsync(lab.Dataset));
        ((StandInHost)lab.Client.Host).LimitSend(null);
        await lab.EndAsync(first, 0);
        await lab.AssertAllRestoreAsync(1);
    }

    [Fact]
    public async Task Doctor_warns_of_a_zfs_that_sends_other_contents_for_blocks_that_it_cannot_read()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        var ssh = await SshStub.PutAsync(client, "command=${command//\\/sys\\/module\\/zfs\\/parameters/$here}");
        var doctor = $"{ssh} ZFS_SSH_HOST=nas zfs-client doctor";
        await client.ShellAsync($"echo 0 > {client.Folder}/ssh/zfs_send_corrupt_data");
        var without = await client.RunAsync(doctor);
        await client.ShellAsync($"echo 1 > {client.Folder}/ssh/zfs_send_corrupt_data");

        var with = await client.RunAsync(doctor);

        Assert.DoesNotContain("zfs_send_corrupt_data", without.Output, StringComparison.Ordinal);
        Assert.Matches("warning +zfs: zfs_send_corrupt_data is set", with.Output);
        Assert.Contains("echo 0 > /sys/module/zfs/parameters/zfs_send_corrupt_data", with.Output);
    }
}
