using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// Backups that the server keeps in ZFS: which are incremental, where they are stored, and the catalogue of them. See
/// also <see cref="LocalBackupOnZfsTests"/>.
/// </summary>
public sealed class LocalBackupTests
{
    private readonly StandInHost _host = new();

    [Fact]
    public async Task An_incremental_is_accepted_only_on_the_newest_snapshot_otherwise_the_backup_is_full()
    {
        await using var lab = await LocalLab.CreateAsync(_host);
        await lab.FillAsync("data", 2);
        await lab.BackUpAsync();
        var older = (await lab.Client.SnapshotsOfAsync(lab.Source))[0];
        await lab.BackUpAsync();
        await lab.Client.ShellAsync($"zfs snapshot {lab.Source}@byhand");

        (await lab.SendAsync($"zfs send -i {older} {lab.Source}@byhand")).AssertRefused(
            409,
            "base_missing",
            "not the newest"
        );
        await lab.Client.ShellAsync(
            $"zfs list -H -o name -t snapshot,bookmark -d 1 {lab.Source} | tac | grep -v '{older}$' | grep -v "
                + $"'{older.Replace('@', '#')}\\.' | while read -r s; do for t in $(zfs holds -H $s 2>/dev/null | cut "
                + "-f 2); do zfs release $t $s; done; zfs destroy $s; done"
        );
        var next = await lab.BackUpAsync(); // a shared snapshot is the base of another incremental there

        Assert.Equal("full", next.GetProperty("kind").GetString());
        Assert.StartsWith(
            $"{lab.Received}-2@",
            next.GetProperty("backup").GetProperty("storage_key").GetString(),
            StringComparison.Ordinal
        );
        await lab.FillAsync("more", 1);
        Assert.Equal("incremental", (await lab.BackUpAsync()).GetProperty("kind").GetString());
    }

    [Fact]
    public async Task A_client_whose_storage_differs_from_the_server_s_default_sends_incrementals_there()
    {
        await using var lab = await LocalLab.CreateAsync(_host);
        Assert.Equal(["s3 full", "s3 incremental"], [await BackUpAsync("s3"), await BackUpAsync("s3")]);
        (await lab.ServerAsync($"client set {lab.Client.Id} --storage-type s3")).MustSucceed();
        Assert.Equal(["local full", "local incremental"], [await BackUpAsync("local"), await BackUpAsync("local")]);
        var doctor = (await lab.Client.RunAsync("zfs-client doctor")).MustSucceed().Output;
        Assert.Contains("the next backup is incremental", doctor, StringComparison.Ordinal);
        Assert.Equal("s3 incremental", await BackUpAsync(storageType: null));
        (await lab.Client.RunAsync("zfs-restore verify all")).MustSucceed();
        (await lab.CurlAsync("'URL/snapshots?storage_type=tape'")).AssertRefused(400, "bad_request", "storage_type");

        async Task<string> BackUpAsync(string? storageType)
        {
            await lab.Client.WriteSettingsAsync([
                $"LOCAL_DATASET={lab.Source}",
                .. storageType is null ? (string[])[] : [$"STORAGE_TYPE={storageType}"],
            ]);
            var made = await lab.BackUpAsync();
            return $"{made.GetProperty("backup").GetProperty("storage_type").GetString()} "
                + $"{made.GetProperty("kind").GetString()}";
        }
    }

    [Fact]
    public async Task The_catalogue_is_rebuilt_from_what_ZFS_keeps_and_a_lost_snapshot_is_found()
    {
        await using var lab = await LocalLab.CreateAsync(_host);
        await lab.FillAsync("data", 1);
        await lab.BackUpAsync();
        await lab.BackUpAsync();
        var before = (await lab.Client.RunAsync("zfs-restore list --json")).MustSucceed().Output;
        (await lab.ServerAsync("catalogue check --deep")).MustSucceed();
        Assert.Contains(
            lab.Received,
            (await lab.ServerAsync("backup list")).MustSucceed().Output,
            StringComparison.Ordinal
        );

        await lab.StopServerAsync();
        (await lab.ServerAsync("catalogue rebuild")).MustSucceed();
        await lab.StartServerAsync();

        Assert.Equal(before, (await lab.Client.RunAsync("zfs-restore list --json")).MustSucceed().Output);
        var oldest = (await lab.ReceivedNamesAsync())[1];
        await _host.OutputAsync($"zfs destroy {oldest}");
        var check = await lab.ServerAsync("catalogue check --json");
        Assert.Equal(7, check.ExitCode);
        Assert.Contains("object_missing", check.Output, StringComparison.Ordinal);
        var lost = (await lab.Client.ListBackupsAsync())[1].GetProperty("snapshot_id").GetString();
        (await lab.CurlAsync($"'URL/download?snapshot_id={Uri.EscapeDataString(lost!)}'")).AssertRefused(
            500,
            "object_missing"
        );
    }
}
