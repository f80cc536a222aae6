using System.Diagnostics;
using ZfsSnapshotManager.SystemTests.Backups;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.SystemTests.Restores;

namespace ZfsSnapshotManager.SystemTests.Parts;

/// <summary>
/// Connections that go dead without a word: a client waits a minute for a sign of life, so that all cases of it run at
/// once. On the stand-in for <c>zfs</c>.
/// </summary>
public sealed class DeadConnectionTests(DeadConnectionTests.Cases cases) : IClassFixture<DeadConnectionTests.Cases>
{
    private const int Mebibyte = 1024 * 1024;

    [Fact]
    public Task A_backup_gives_a_dead_connection_up_and_sends_its_part_again() => cases.Backup;

    [Fact]
    public Task A_restore_gives_a_dead_connection_up_and_fetches_its_part_again() => cases.Restore;

    /// <summary>
    /// A part that does not fit into what the sockets of this machine hold: one that does is sent, and then its answer
    /// is awaited for five minutes.
    /// </summary>
    private static async Task BackUpAsync()
    {
        await using var lab = await BackupLab.CreateEmptyAsync(new StandInHost(), 32, "data");
        await lab.Client.WriteAsync("data", ("large", 48 * Mebibyte));
        await using var proxy = new TcpProxy(lab.Server.Port);
        await lab.SetAsync($"SERVER_URL=http://127.0.0.1:{proxy.Port}", "BANDWIDTH_LIMIT=16M", "RETRY_TIME=300");
        using var backup = lab.Client.Start("exec zfs-client backup");
        await Patience.UntilAsync("bytes have passed", () => backup.HasExited || proxy.ToServer > 3 * Mebibyte);

        await GoDeadAsync(proxy, backup);

        await lab.EndAsync(backup, 0);
        Assert.Single(await lab.Client.ListBackupsAsync());
        await lab.AssertAllRestoreAsync(1);
    }

    private static async Task RestoreAsync()
    {
        await using var lab = await RestoreLab.CreateAsync(new StandInHost());
        await using var proxy = new TcpProxy(lab.Server.Port);
        await lab.SetAsync($"SERVER_URL=http://127.0.0.1:{proxy.Port}", "RETRY_TIME=300");
        proxy.Fault = NetworkFault.Delay;
        using var restore = lab.StartRestore("--json");
        await Patience.UntilAsync("bytes come", () => restore.HasExited || proxy.ToClient > 2 * Mebibyte);

        await GoDeadAsync(proxy, restore);

        var said = await restore.StandardOutput.ReadToEndAsync() + await restore.StandardError.ReadToEndAsync();
        await restore.WaitForExitAsync();
        Assert.True(restore.ExitCode == 0, $"exit code {restore.ExitCode}: {said}");
        await lab.AssertRestoredAsync();
    }

    /// <summary>
    /// Nothing passes until the program has given its connections up and tries new ones, which is not before a minute.
    /// What was silent stays so for ever: only new connections work.
    /// </summary>
    private static async Task GoDeadAsync(TcpProxy proxy, Process program)
    {
        proxy.Fault = NetworkFault.Silence;
        await Task.Delay(TimeSpan.FromSeconds(50));
        var before = proxy.Connections;
        for (var second = 0; proxy.Connections == before; second++)
        {
            Assert.False(program.HasExited, "it ended while nothing came");
            Assert.True(second < 240, "it waits for ever");
            await Task.Delay(TimeSpan.FromSeconds(1));
        }

        proxy.Fault = NetworkFault.Reset;
        proxy.Fault = NetworkFault.None;
    }

    /// <summary>All cases, begun at once by the first test.</summary>
    public sealed class Cases
    {
        internal Task Backup { get; } = Task.Run(BackUpAsync);

        internal Task Restore { get; } = Task.Run(RestoreAsync);
    }
}
