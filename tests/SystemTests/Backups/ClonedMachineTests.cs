using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// Machines that share what tells machines apart: a clone has its original's /etc/machine-id, client id, key and names
/// of datasets. Each has a pool of its own.
/// </summary>
public sealed class ClonedMachineTests
{
    [Fact]
    public async Task A_clone_is_refused_beside_its_original_and_told_to_get_a_machine_id_of_its_own()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        var original = await MachineAsync(lab, "original");
        var clone = new StandInHost();
        await clone.OutputAsync(
            $"zfs create -p {lab.Dataset} && zfs stand-in write {lab.Dataset} other 3000000 && zfs snapshot "
                + $"{lab.Dataset}@mine"
        );
        using var backup = await lab.BeginAsync(original);

        var refused = await RunOnCloneAsync("zfs-client backup");

        Assert.Equal(9, refused.ExitCode);
        Assert.Contains("original", refused.Error, StringComparison.Ordinal);
        Assert.Contains("/etc/machine-id", refused.Error, StringComparison.Ordinal);
        Assert.Contains("systemd-machine-id-setup", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Discarding", refused.Text, StringComparison.Ordinal);
        Assert.Equal(
            $"{lab.Dataset}@mine",
            await clone.OutputAsync($"zfs list -H -o name -t snapshot,bookmark -d 1 {lab.Dataset}")
        );
        Assert.Contains("is not accepted from the machine clone", lab.Server.Log, StringComparison.Ordinal);
        ((StandInHost)lab.Client.Host).LimitSend(null);
        await lab.EndAsync(backup, 0);

        var doctor = await lab.Client.RunAsync($"{original} zfs-client doctor");
        var later = await RunOnCloneAsync("zfs-client backup");

        Assert.Contains("one is a clone of the other", doctor.Output, StringComparison.Ordinal);
        Assert.Equal(9, later.ExitCode);
        Assert.Contains("come from another machine, original, last seen", later.Error, StringComparison.Ordinal);
        Assert.Contains(
            "one is a clone of the other",
            (await RunOnCloneAsync("zfs-client doctor")).Output,
            StringComparison.Ordinal
        );
        Assert.Contains("incremental", await BackUpAsync(lab, "original"), StringComparison.Ordinal);
        (await RunOnCloneAsync("zfs-client backup --take-over")).MustSucceed();
        Assert.Equal(9, (await lab.Client.RunAsync($"{original} zfs-client backup")).ExitCode);

        async Task<CommandResult> RunOnCloneAsync(string line) =>
            await clone.RunAsync($"cd {lab.Client.Folder} && {await MachineAsync(lab, "clone")} {line}");
    }

    [Fact]
    public async Task A_machine_that_was_renamed_continues_and_the_server_mentions_it()
    {
        await using var lab = await BackupLab.CreateAsync(new StandInHost());
        await BackUpAsync(lab, "before");
        await lab.ChangeAsync();
        using (var backup = await lab.BeginAsync(await MachineAsync(lab, "before")))
        {
            await lab.Client.KillAsync("zfs-client");
            await lab.EndAsync(backup, 137);
        }

        var resumed = await BackUpAsync(lab, "after");

        Assert.Contains("\"resumed\"", resumed, StringComparison.Ordinal);
        Assert.Contains("was before and is now after", lab.Server.Log, StringComparison.Ordinal);
        Assert.Contains("incremental", await BackUpAsync(lab, "before"), StringComparison.Ordinal);
    }

    private static async Task<string> BackUpAsync(BackupLab lab, string machine) =>
        (await lab.Client.RunAsync($"{await MachineAsync(lab, machine)} zfs-client backup --json"))
            .MustSucceed()
            .Output;

    /// <summary>An ssh whose other machine has a name, and an /etc/machine-id that all of them share.</summary>
    /// <returns>What to start a line with.</returns>
    private static async Task<string> MachineAsync(BackupLab lab, string name)
    {
        const string SameId = """
            command=${command//uname -n/echo $host}
            command=${command//\/etc\/machine-id/$here/machine-id}
            [ -e $here/machine-id ] || { printf %032d 7 > $here/$$ && mv $here/$$ $here/machine-id; }
            """;
        return $"{await SshStub.PutAsync(lab.Client, SameId)} ZFS_SSH_HOST={name}";
    }
}
