using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What this tool does to a dataset that <c>zfs receive -s</c> writes to.</summary>
public static class ReceivingDataset
{
    /// <summary>Begins or continues a receive: which of them it is, the stream says. Nothing is mounted.</summary>
    /// <param name="snapshot">What it makes.</param>
    /// <param name="options">Properties of a dataset that is made by it.</param>
    public static ZfsProcess StartReceive(this ZfsHost zfs, SnapshotName snapshot, IEnumerable<string> options) =>
        zfs.Start([
            "receive",
            "-s",
            "-u",
            .. options.SelectMany(option => new[] { "-o", option }),
            snapshot.ToString(),
        ]);

    /// <returns>Where an interrupted receive goes on; null where none was interrupted, or nothing of it was
    /// kept.</returns>
    public static async Task<string?> FindResumeTokenAsync(
        this ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        if (!await zfs.ExistsAsync(dataset, cancellationToken))
            return null;
        var value = (
            await zfs.RunAsync(
                ["get", "-H", "-p", "-o", "value", "receive_resume_token", dataset.Value],
                cancellationToken
            )
        ).Trim();
        return value is "" or "-" ? null : value;
    }

    /// <summary>
    /// Drops what an interrupted receive has left; a dataset that was made by it goes with it. Where nothing is left,
    /// nothing is done.
    /// </summary>
    public static async Task AbortReceiveAsync(
        this ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        if (await zfs.FindResumeTokenAsync(dataset, cancellationToken) is null)
            return;
        await zfs.RunAsync(["receive", "-A", dataset.Value], cancellationToken);
    }
}
