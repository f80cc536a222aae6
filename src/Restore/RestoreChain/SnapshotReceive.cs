using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>The <c>zfs receive -s</c> of one backup, so that it can go on if it is interrupted.</summary>
/// <param name="zfs">Where it is received.</param>
/// <param name="backup">What is received.</param>
/// <param name="snapshot">Its name here.</param>
/// <param name="received">What is noted of a dataset that is made by it.</param>
internal sealed class SnapshotReceive(ZfsHost zfs, SnapshotInfo backup, SnapshotName snapshot, string received)
{
    /// <summary>How long ZFS may take to write down what it has received.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(20);

    private static readonly string[] CanMountOptions = ["-o", "canmount=noauto"];

    /// <param name="isFirst">False where it goes on with what is there.</param>
    /// <param name="write">Writes the stream; where it fails, ZFS keeps what came until then.</param>
    /// <exception cref="ZfsException">ZFS refuses it.</exception>
    public async Task RunAsync(bool isFirst, Func<Stream, Task> write, CancellationToken cancellationToken)
    {
        await using var receiving = zfs.Start(Arguments(isFirst));
        try
        {
            await write(receiving.Input);
            receiving.Input.Close();
        }
        catch (IOException)
        {
            // zfs receive closed its end: what it says is the cause, and is thrown below.
        }
        catch
        {
            await EndAsync(receiving);
            throw;
        }

        await receiving.WaitForSuccessAsync(cancellationToken);
    }

    /// <summary>
    /// A stream that ends before its END: ZFS writes down what it has, so that it can go on there. Killed, it would
    /// lose the last seconds.
    /// </summary>
    private static async Task EndAsync(ZfsProcess receiving)
    {
        using var patience = new CancellationTokenSource(EndPatience);
        try
        {
            receiving.Input.Close();
            await receiving.WaitForSuccessAsync(patience.Token);
        }
        catch (Exception e) when (e is IOException or ZfsException or OperationCanceledException)
        {
            // It complains that the stream ended early, of course. What made it end is the cause, and is thrown on.
        }
    }

    /// <summary>
    /// Nothing is mounted (-u), neither now nor at the next boot (canmount=noauto): a restored dataset inherits a
    /// mountpoint from where it is put, and mounted there it could hide what is in use. Volumes have no canmount;
    /// children of a chain, and what is continued, keep what the full one was given.
    /// </summary>
    private string[] Arguments(bool isFirst) =>
        [
            "receive",
            "-s",
            "-u",
            .. isFirst && !backup.IsIncremental ? RestoreTarget.MarkOptions(received) : [],
            .. isFirst && backup is { IsIncremental: false, DatasetType: "filesystem" } ? CanMountOptions : [],
            snapshot.ToString(),
        ];
}
