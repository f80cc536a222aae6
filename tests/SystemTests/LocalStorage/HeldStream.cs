using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>A backup or restore that stays half done until it is released: see <see cref="ClientMachine"/>.</summary>
internal static class HeldStream
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Starts a backup and waits until it is half done.</summary>
    public static async Task<System.Diagnostics.Process> StartBackupAsync(LocalLab lab)
    {
        await lab.FillAsync("data", 8);
        await lab.Client.WriteSettingsAsync($"LOCAL_DATASET={lab.Source}", "COMPRESSION=none");
        var hold = await lab.Client.HoldStreamsAsync();
        var backup = lab.Client.Start($"{hold} exec zfs-client backup --json");
        await WaitForTokenAsync(lab, lab.Received);
        return backup;
    }

    /// <summary>Waits until ZFS has written down that it has more than a MiB of what is received.</summary>
    public static Task WaitForTokenAsync(LocalLab lab, string dataset) =>
        Patience.UntilAsync("ZFS has written down how far it came", async () =>
            ResumeToken.TryParse(await TokenAsync(lab, dataset), out var token) && token.Bytes > 1_000_000
        );

    /// <returns>The <c>receive_resume_token</c>, as far as ZFS has come by now.</returns>
    public static Task<string> TokenAsync(LocalLab lab, string dataset) =>
        lab.Host.OutputAsync(
            $"{lab.Host.SyncLine}; zfs get -H -o value receive_resume_token {dataset} 2>/dev/null || true"
        );

    /// <summary>The backup ends well, and what the server has is restored.</summary>
    public static async Task AssertEndsAsync(LocalLab lab, System.Diagnostics.Process backup)
    {
        await Patience.WaitForEndAsync(backup, "the backup");
        Assert.True(backup.ExitCode == 0, $"{backup.ExitCode}: {await backup.StandardOutput.ReadToEndAsync(Token)}");
        await AssertRestoresAsync(lab);
    }

    /// <summary>A backup resumes after its server was killed meanwhile.</summary>
    public static async Task AssertSurvivesServerKillAsync(ClientHost host)
    {
        await using var lab = await LocalLab.CreateAsync(host);
        using var backup = await StartBackupAsync(lab);

        await lab.KillServerAsync();
        await lab.StartServerAsync();
        await lab.Client.ReleaseAsync();

        await AssertEndsAsync(lab, backup);
        Assert.Contains("receive_interrupted", await lab.LogAsync(), StringComparison.Ordinal);
    }

    public static async Task AssertRestoresAsync(LocalLab lab) =>
        await lab.AssertRestoresAsync(
            (await lab.Client.SnapshotsOfAsync(lab.Source)).Last(name => name.Contains('@', StringComparison.Ordinal))
        );
}
