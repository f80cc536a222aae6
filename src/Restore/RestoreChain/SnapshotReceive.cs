using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Runs the <c>zfs receive -s</c> of one backup, which can be resumed if it is interrupted.</summary>
/// <param name="zfs">Where it is received.</param>
/// <param name="snapshot">The name of its snapshot here.</param>
/// <param name="prepare">Called immediately before <c>zfs receive</c> is started, with false if it resumes a receive;
/// returns further options.</param>
internal sealed class SnapshotReceive(
    ZfsHost zfs,
    SnapshotName snapshot,
    Func<bool, Task<IReadOnlyList<string>>> prepare
)
{
    /// <summary>How long ZFS may take to record what it has received.</summary>
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(20);

    /// <param name="isFirst">False if it resumes a receive.</param>
    /// <param name="write">Writes the stream. If it fails, ZFS keeps what was written.</param>
    /// <exception cref="ZfsException">ZFS refuses it.</exception>
    public async Task RunAsync(bool isFirst, Func<Stream, Task> write, CancellationToken cancellationToken)
    {
        var options = await prepare(isFirst);
        await using var receiving = zfs.Start(["receive", "-s", "-u", .. options, snapshot.ToString()]);
        try
        {
            await write(receiving.Input);
            receiving.Input.Close();
        }
        catch (IOException)
        {
            // zfs receive closed its end of the pipe (EPIPE). Its own message is the cause, and is thrown below.
        }
        catch
        {
            await EndAsync(receiving);
            throw;
        }

        await receiving.WaitForSuccessAsync(cancellationToken);
    }

    /// <summary>
    /// Closes the stream before its END, so that ZFS records what it has received and can resume there. If it were
    /// killed, the last seconds would be lost.
    /// </summary>
    private static async Task EndAsync(ZfsProcess receiving)
    {
        using var timeout = new CancellationTokenSource(EndTimeout);
        try
        {
            receiving.Input.Close();
            await receiving.WaitForSuccessAsync(timeout.Token);
        }
        catch (Exception e) when (e is IOException or ZfsException or OperationCanceledException)
        {
            // It reports that the stream ended early, as expected. The cause of that is what the caller throws.
        }
    }
}
