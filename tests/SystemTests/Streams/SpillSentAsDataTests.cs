using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Streams;

/// <summary>Data that zfs send -e loses (docs/decisions/0012).</summary>
[Collection("zfs")]
public sealed class SpillSentAsDataTests(ZfsHost host)
{
    [Fact]
    public async Task A_stream_from_which_receive_loses_a_symbolic_link_is_refused()
    {
        await host.StartAsync();
        var (origin, copy) = ($"{host.Pool}/spill", $"{host.Pool}/spill-copy");
        await host.OutputAsync(
            $"zfs create -o xattr=sa -o compression=lz4 {origin} && cd $(zfs get -H -o value mountpoint {origin}) && "
                + $"ln -s $(head -c 700 /dev/zero | tr '\\0' y) link && zfs snapshot {origin}@one"
        );
        try
        {
            var plain = await host.RunAsync(
                $"zfs send {origin}@one | {host.ProgramFolder}/zfs-restore stream verify -"
            );
            Assert.Equal(0, plain.ExitCode);
            Assert.Equal(700, (await ReceivedLinkAsync($"zfs send {origin}@one", copy)).Length);

            var embedded = await host.RunAsync(
                $"zfs send -e {origin}@one | {host.ProgramFolder}/zfs-restore stream verify -"
            );
            // OpenZFS 2.1 sends such blocks correctly; that stream must be accepted.
            var arrives = (await ReceivedLinkAsync($"zfs send -e {origin}@one", copy)).Length == 700;
            Assert.Equal(arrives ? 0 : 7, embedded.ExitCode);
            Assert.Equal(arrives, !embedded.Error.Contains("send without -e", StringComparison.Ordinal));
        }
        finally
        {
            await host.RunAsync($"cd /; zfs destroy -R {origin}; zfs destroy -R {copy}");
        }
    }

    private async Task<string> ReceivedLinkAsync(string send, string copy)
    {
        await host.OutputAsync($"{send} | zfs receive -o mountpoint=/tmp/spill-copy {copy}");
        var link = await host.RunAsync("readlink /tmp/spill-copy/link");
        await host.OutputAsync($"zfs destroy -R {copy}");
        return link.Output.TrimEnd('\n');
    }
}
