using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What this tool does with a dataset that <c>zfs receive -s</c> writes to.</summary>
public static class ReceivingDataset
{
    /// <summary>Begins or resumes a receive: the stream decides which. Nothing is mounted.</summary>
    /// <param name="snapshot">The snapshot that it makes.</param>
    /// <param name="options">Properties (<c>name=value</c>) of a dataset that it makes.</param>
    public static ZfsProcess StartReceive(this ZfsHost zfs, SnapshotName snapshot, IEnumerable<string> options) =>
        zfs.Start([
            "receive",
            "-s",
            "-u",
            .. options.SelectMany(option => new[] { "-o", option }),
            snapshot.ToString(),
        ]);

    /// <returns>The token with which an interrupted receive resumes; null if none was interrupted, or ZFS kept nothing
    /// of it.</returns>
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
    /// Drops what an interrupted receive left, with the dataset that it made, if it made one. Does nothing if nothing
    /// is left.
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
