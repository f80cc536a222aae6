using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>An interrupted restore from the server's ZFS. See <see cref="LocalRestoreTests"/> for more.</summary>
[Collection("zfs-2")]
public sealed class LocalRestoreOnZfsTests(SecondZfsHost host)
{
    [Fact]
    public async Task A_restore_resumes_where_it_was_interrupted()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        await lab.FillAsync("data", 8);
        await lab.BackUpAsync();
        var partial = $"{lab.Client.Area}/restored.restoring";
        var hold = await lab.Client.HoldStreamsAsync();
        using (var restore = lab.Client.Start($"{hold} exec zfs-restore latest {lab.Client.Area}/restored"))
        {
            await HeldStream.WaitForTokenAsync(lab, partial);
            await lab.Client.KillAsync("zfs-restore");
            await Patience.WaitForEndAsync(restore, "the restore");
            await lab.Client.ReleaseAsync();
            Assert.NotEqual(0, restore.ExitCode);
        }

        // What it had started ends by itself, a moment later.
        await host.WaitForAsync("nothing receives any more", $"! pgrep -f '[z]fs receive .*{partial}'");

        var result = await lab.Client.JsonAsync($"zfs-restore latest {lab.Client.Area}/restored");
        Assert.True(result.GetProperty("resumed").GetProperty("stream_bytes").GetInt64() > 0);
        await lab.AssertSameAsync((await lab.Client.SnapshotsOfAsync(lab.Source))[0], "restored");
    }
}
