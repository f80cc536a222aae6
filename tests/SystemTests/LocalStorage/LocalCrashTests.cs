using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>The server is killed after ZFS has made a snapshot and before the catalogue lists it.</summary>
[Collection("zfs-2")]
public sealed class LocalCrashTests(SecondZfsHost host)
{
    private const string Note = "set zfs-snapshot-manager:manifest";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="megabytes">0: sent in one request; else in parts, and completed.</param>
    [Theory]
    [InlineData("after receive", 0)]
    [InlineData("after receive", 3)]
    [InlineData("before " + Note, 3)]
    [InlineData("after " + Note, 3)]
    public async Task A_backup_whose_commit_was_interrupted_after_its_snapshot_is_listed_once(
        string moment,
        int megabytes
    )
    {
        await using var lab = await LocalLab.CreateAsync(host, "--max-size 100MiB");
        await lab.FillAsync("data", megabytes);
        await lab.KillServerAtAsync(moment);
        using var backup = lab.Client.Start("exec zfs-client backup --json");
        await lab.WaitForServerEndAsync();
        Assert.Equal(2, (await lab.ReceivedNamesAsync()).Length);
        Assert.Empty(CommandJson.Results((await lab.ServerAsync("backup list --json")).MustSucceed().Output));

        await lab.StartServerAsync();

        var made = await EndOfAsync(backup);
        var listed = Assert.Single(await lab.Client.ListBackupsAsync());
        Assert.Equal(
            listed.GetProperty("snapshot_id").GetString(),
            made.GetProperty("backup").GetProperty("snapshot_id").GetString()
        );
        Assert.Equal([lab.Received, listed.GetProperty("storage_key").GetString()!], await lab.ReceivedNamesAsync());
        Assert.Contains("whose commit was interrupted", await lab.LogAsync(), StringComparison.Ordinal);
        var status = await lab.Client.JsonAsync("zfs-client status");
        Assert.Equal(
            long.Parse(
                await host.OutputAsync($"zfs get -H -p -o value used {lab.Parent}"),
                System.Globalization.CultureInfo.InvariantCulture
            ),
            status.GetProperty("used_bytes").GetInt64()
        );
        Assert.Equal(
            (0, 0L),
            (status.GetProperty("open_uploads").GetInt32(), status.GetProperty("reserved_bytes").GetInt64())
        );
        await lab.AssertRestoresAsync((await lab.Client.SnapshotsOfAsync(lab.Source))[0]);
        (await lab.ServerAsync("catalogue check")).MustSucceed();
        Assert.Equal("incremental", (await lab.BackUpAsync()).GetProperty("kind").GetString());
    }

    private static async Task<JsonElement> EndOfAsync(System.Diagnostics.Process backup)
    {
        await Patience.WaitForEndAsync(backup, "the backup");
        var text = await backup.StandardOutput.ReadToEndAsync(Token);
        Assert.True(backup.ExitCode == 0, $"{backup.ExitCode}: {text}");
        return CommandJson.Result(text);
    }
}
