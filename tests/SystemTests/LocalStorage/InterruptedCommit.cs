using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// A backup whose server is killed after ZFS has made its snapshot and before the catalogue lists it: once the server
/// runs again, the backup is listed, once, and the client's run ends well.
/// </summary>
internal static class InterruptedCommit
{
    public const string Note = "set zfs-snapshot-manager:manifest";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="host">Where ZFS is.</param>
    /// <param name="moment">See <see cref="LocalLab.KillServerAtAsync"/>.</param>
    /// <param name="megabytes">0: sent in one request; else in parts, and completed.</param>
    public static async Task RunAsync(ClientHost host, string moment, int megabytes)
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
