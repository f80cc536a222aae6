using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// A dataset with snapshots base, one and two, of which the server has the first, for uploads that are held at any
/// point.
/// </summary>
internal sealed class UploadRace : IAsyncDisposable
{
    private UploadRace(LocalLab lab) => Lab = lab;

    public LocalLab Lab { get; }

    public static async Task<UploadRace> CreateAsync(ClientHost host)
    {
        var lab = await LocalLab.CreateAsync(host);
        foreach (var snapshot in (string[])["base", "one", "two"])
        {
            await lab.FillAsync(snapshot, 1);
            await lab.Client.ShellAsync($"zfs snapshot {lab.Source}@{snapshot}");
        }

        (await lab.SendAsync($"zfs send -L {lab.Source}@base")).MustSucceed();
        return new UploadRace(lab);
    }

    /// <summary>Announces two incrementals from one base.</summary>
    public async Task<(HeldUpload First, HeldUpload Second)> AnnounceTwoAsync() =>
        (
            await HeldUpload.AnnounceAsync(Lab, $"zfs send -L -i @base {Lab.Source}@one"),
            await HeldUpload.AnnounceAsync(Lab, $"zfs send -L -i @base {Lab.Source}@two")
        );

    public Task WaitForReceiveAsync(string snapshot, string dataset = "tank_sent") =>
        Patience.UntilAsync("ZFS receives", async () =>
            (await Lab.Host.RunAsync($"pgrep -f '[z]fs receive .*{Lab.Parent}/{dataset}@{snapshot}'")).ExitCode == 0
        );

    /// <summary>
    /// These snapshots exist, are listed and can be restored; no others exist, and no receive is left partial.
    /// </summary>
    public async Task AssertHoldsAsync(params string[] snapshots)
    {
        string[] names = [.. snapshots.Select(snapshot => $"{Lab.Parent}/{snapshot}")];
        Assert.Equal(
            names.Select(name => name.Split('@')[0]).Distinct().Concat(names).Order(StringComparer.Ordinal),
            (await Lab.ReceivedNamesAsync()).Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            names.Order(StringComparer.Ordinal),
            (await Lab.Client.ListBackupsAsync())
                .Select(backup => backup.GetProperty("storage_key").GetString()!)
                .Order(StringComparer.Ordinal)
        );
        Assert.DoesNotContain(
            await Lab.Host.OutputAsync($"zfs get -H -r -t filesystem -o value receive_resume_token {Lab.Parent}"),
            character => character is not ('-' or '\n')
        );
        (await Lab.Client.RunAsync("zfs-restore verify all")).MustSucceed();
        (await Lab.ServerAsync("catalogue check")).MustSucceed();
    }

    public ValueTask DisposeAsync() => Lab.DisposeAsync();
}
