using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// Restores from the server's ZFS whose stream breaks resume in the same run. See also <see cref="LocalOverSshTests"/>
/// and <see cref="LocalRestoreOnZfsTests"/>.
/// </summary>
public sealed class LocalRestoreTests
{
    private readonly StandInHost _host = new();

    [Fact]
    public async Task A_restore_resumes_in_the_same_run_after_zfs_send_or_the_server_was_killed()
    {
        var folder = await MakeFailingSendAsync();
        await using var lab = await LocalLab.CreateAsync(_host, "", $"PATH={folder}:{_host.ProgramFolder}:$PATH");
        await lab.FillAsync("data", 16);
        await lab.BackUpAsync();
        using var restore = lab.Client.Start(
            $"exec zfs-restore latest {lab.Client.Area}/restored --verbose 2> restore.log"
        );

        var (send, token) = await FindSendAsync(lab, folder, after: "");
        await _host.OutputAsync($"kill -9 {send}");
        await AssertNotThereAsync(lab);
        await FindSendAsync(lab, folder, after: token);
        await lab.KillServerAsync();
        await AssertNotThereAsync(lab);
        await lab.StartServerAsync();

        await Patience.WaitForEndAsync(restore, "the restore");
        var said = await SaidAsync(lab);
        Assert.True(restore.ExitCode == 0, $"{restore.ExitCode}: {said}");
        Assert.Matches("its stream broke [0-9]+ times", said);
        await lab.AssertSameAsync((await lab.Client.SnapshotsOfAsync(lab.Source))[0], "restored");
        Assert.Equal(
            ["-L", "-L", "-t", "-t", "-t"],
            (await _host.OutputAsync($"cut -d' ' -f2 {folder}/sends")).Split('\n')
        );
        Assert.Equal(
            "",
            await _host.OutputAsync(
                $"rm -r {folder}; zfs get -H -o value -s local "
                    + $"zfs-snapshot-manager:restore,zfs-snapshot-manager:restore-of {lab.Client.Area}/restored"
            )
        );
    }

    /// <summary>
    /// A directory with a <c>zfs</c> that is the real one and also logs each send. The first send ends after so few
    /// bytes that the receiver keeps nothing; the next two send 6 MiB and then so slowly that they are unfinished until
    /// they are killed, however slow the machine is; the fourth sends all and fails.
    /// </summary>
    private async Task<string> MakeFailingSendAsync()
    {
        var folder = Repository.NewFolder("failing-send");
        var script = $$"""
            #!/bin/bash
            [ "$1" = send ] || exec ZFS "$@"
            set -o pipefail
            echo "$@" >> {{folder}}/sends
            take() { dd bs=64k count=$1 iflag=fullblock 2>/dev/null; }
            slowly() { take 96; while count=$(take 1 | tee /dev/fd/3 | wc -c) && [ $count != 0 ]; do sleep 1; done; }
            case $(wc -l < {{folder}}/sends) in
              1) ZFS "$@" | head -c 700; exit 1 ;;
              2 | 3) ZFS "$@" | slowly 3>&1 ;;
              4) ZFS "$@"; sleep 1; exit 1 ;;
              *) exec ZFS "$@" ;;
            esac
            """.Replace("ZFS", await _host.OutputAsync("command -v zfs"), StringComparison.Ordinal);
        (
            await _host.RunAsync(
                $"cat > {folder}/zfs && chmod 755 {folder}/zfs",
                System.Text.Encoding.UTF8.GetBytes(script + "\n")
            )
        ).MustSucceed();
        return folder;
    }

    /// <summary>
    /// Waits until the receiving ZFS has recorded its progress, and finds the server's <c>zfs send</c>, which is
    /// unfinished then.
    /// </summary>
    /// <param name="lab">The lab.</param>
    /// <param name="folder">The directory in the PATH of the server and its processes: not every <c>zfs send</c> of the
    /// machine is its own.</param>
    /// <param name="after">The token before.</param>
    /// <returns>The process and the token.</returns>
    private async Task<(string Process, string Token)> FindSendAsync(LocalLab lab, string folder, string after)
    {
        var found = await _host.RunAsync(
            $"""
            for i in $(seq {Patience.SecondsOf(300)}); do
              token=$(zfs get -H -o value receive_resume_token {lab.Client.Area}/restored.restoring 2>/dev/null)
              case $token in '' | - | '{after}') sleep 0.2; continue ;; esac
              for p in $(pgrep -x zfs); do
                tr '\0' ' ' < /proc/$p/cmdline | grep -q '^[^ ]*zfs send ' || continue
                grep -qz '^PATH={folder}:' /proc/$p/environ || continue
                echo $p $token
                exit 0
              done
            done
            exit 1
            """
        );
        Assert.True(
            found.ExitCode == 0,
            $"The restore did not come to its middle. {await SaidAsync(lab)}\n{found.Text}\n{await lab.LogAsync()}"
        );
        var words = found.Output.Split();
        return (words[0], words[1]);
    }

    private static Task<string> SaidAsync(LocalLab lab) =>
        lab.Client.ShellAsync($"cat {lab.Client.Folder}/restore.log");

    private static async Task AssertNotThereAsync(LocalLab lab) =>
        Assert.Equal(
            "",
            await lab.Client.ShellAsync(
                $"zfs list -H -o name -t snapshot -r {lab.Client.Area} | grep restor || true; zfs list -H -o name "
                    + $"{lab.Client.Area}/restored 2>/dev/null || true"
            )
        );
}
