using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>Restores from the server's ZFS whose stream breaks: they go on in the same run.</summary>
[Collection("zfs-2")]
public sealed class LocalRestoreTests(SecondZfsHost host)
{
    [Fact]
    public async Task A_restore_goes_on_in_the_same_run_when_zfs_send_fails_or_is_killed_and_when_the_server_is_killed()
    {
        await host.StartAsync();
        var folder = await MakeFailingSendAsync();
        await using var lab = await LocalLab.CreateAsync(host, "", $"PATH={folder}:$PATH");
        await lab.FillAsync("data", 24);
        await lab.BackUpAsync();
        using var restore = lab.Client.Start($"exec zfs-restore latest {lab.Client.Area}/restored --verbose");

        var (process, token) = await StopSendAsync(lab, after: "");
        await AssertNotThereAsync(lab);
        await host.OutputAsync($"kill -9 {process}");
        (process, _) = await StopSendAsync(lab, after: token);
        await lab.KillServerAsync();
        await host.OutputAsync($"kill -9 {process}");
        await AssertNotThereAsync(lab);
        await lab.StartServerAsync();

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        var said = await restore.StandardError.ReadToEndAsync(patience.Token);
        await restore.WaitForExitAsync(patience.Token);
        Assert.True(restore.ExitCode == 0, $"{restore.ExitCode}: {said}");
        Assert.Matches("its stream broke [0-9]+ times", said);
        await lab.AssertSameAsync((await lab.Client.SnapshotsOfAsync(lab.Source))[0], "restored");
        Assert.Equal(["-L", "-L", "-t", "-t", "-t"], (await host.OutputAsync($"cut -d' ' -f2 {folder}/sends")).Split('\n'));
        Assert.Equal("", await host.OutputAsync($"rm -r {folder}; zfs get -H -o value -s local zfs-snapshot-manager:restore,zfs-snapshot-manager:restore-of {lab.Client.Area}/restored"));
    }

    /// <summary>A folder with a <c>zfs</c> that is the real one, but that notes each send. The first one ends after so few bytes that the receiver keeps nothing; the fourth sends all, and fails.</summary>
    private async Task<string> MakeFailingSendAsync()
    {
        var folder = $"/tmp/zfs-{Guid.NewGuid().ToString("N")[..8]}";
        var script = $"""
            #!/bin/sh
            if [ "$1" = send ]; then
              echo "$@" >> {folder}/sends
              case $(wc -l < {folder}/sends) in
                1) ZFS "$@" | head -c 700; exit 1 ;;
                4) ZFS "$@"; sleep 1; exit 1 ;;
              esac
            fi
            exec ZFS "$@"
            """.Replace("ZFS", await host.OutputAsync("command -v zfs"), StringComparison.Ordinal);
        await host.OutputAsync($"install -d -o backup {folder}");
        (await host.RunAsync($"cat > {folder}/zfs && chmod 755 {folder}/zfs", System.Text.Encoding.UTF8.GetBytes(script + "\n"))).MustSucceed();
        return folder;
    }

    /// <summary>
    /// Stops the server's <c>zfs send</c> (SIGSTOP) in the middle: what it sent until then was received, and ZFS has noted so. Until something was noted, it runs
    /// on for short moments, so that it cannot be over before.
    /// </summary>
    /// <param name="after">What was noted before.</param>
    /// <returns>Its process, and what ZFS noted.</returns>
    private async Task<(string Process, string Token)> StopSendAsync(LocalLab lab, string after)
    {
        string[] found = [];
        await Patience.UntilAsync("the restore is in the middle", async () =>
        {
            found = (await host.OutputAsync($"""
                for p in $(pgrep -x zfs); do
                  tr '\0' ' ' < /proc/$p/cmdline | grep -q '^[^ ]*zfs send ' || continue
                  kill -STOP $p
                  sleep 0.3
                  zpool sync {host.Pool}
                  token=$(zfs get -H -o value receive_resume_token {lab.Client.Area}/restored.restoring 2>/dev/null)
                  case $token in '' | - | '{after}') kill -CONT $p ;; *) echo $p $token ;; esac
                done
                """)).Split(' ');
            return found.Length == 2;
        });
        return (found[0], found[1]);
    }

    private static async Task AssertNotThereAsync(LocalLab lab) =>
        Assert.Equal("", await lab.Client.ShellAsync($"zfs list -H -o name -t snapshot -r {lab.Client.Area} | grep restor || true; zfs list -H -o name {lab.Client.Area}/restored 2>/dev/null || true"));
}
