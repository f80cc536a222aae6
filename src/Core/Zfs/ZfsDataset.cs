using System.Globalization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What this tool asks of datasets and does to them and their snapshots.</summary>
public static class ZfsDataset
{
    private const string SnapshotColumns = "name,guid,createtxg,creation,userrefs";

    private const int SnapshotColumnCount = 5;

    public static async Task<bool> ExistsAsync(
        this ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await zfs.RunAsync(
                ["list", "-H", "-o", "name", "-t", "filesystem,volume", dataset.Value],
                cancellationToken
            );
            return true;
        }
        catch (ZfsException e) when (e.StandardError.Contains("dataset does not exist", StringComparison.Ordinal))
        {
            return false;
        }
    }

    /// <summary>
    /// Snapshots and bookmarks of one dataset, not of its children, oldest first; without this tool's marks.
    /// </summary>
    public static async Task<IReadOnlyList<LocalSnapshot>> ListSnapshotsAsync(
        this ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        string[] arguments =
        [
            "list",
            "-H",
            "-p",
            "-d",
            "1",
            "-t",
            "snapshot,bookmark",
            "-o",
            SnapshotColumns,
            dataset.Value,
        ];
        var rows = await zfs.RunTableAsync(arguments, cancellationToken);
        return [.. rows.Select(ParseRow).OrderBy(s => s.CreateTxg)];
    }

    /// <summary>
    /// Reads the snapshots and bookmarks of many datasets, not of their children, in a few commands for all; without
    /// this tool's marks.
    /// </summary>
    /// <param name="datasets">The datasets.</param>
    /// <param name="read">Gets each snapshot and bookmark, in no order.</param>
    public static Task<ZfsRefusals> ReadSnapshotsAsync(
        this ZfsHost zfs,
        IEnumerable<DatasetName> datasets,
        Action<LocalSnapshot> read,
        CancellationToken cancellationToken
    ) =>
        zfs.RunForAllAsync(
            ["list", "-H", "-p", "-d", "1", "-t", "snapshot,bookmark", "-o", SnapshotColumns],
            datasets.Select(dataset => dataset.Value),
            row => ReadRow(row, read),
            cancellationToken
        );

    /// <summary>Finds snapshots by their names; without this tool's marks.</summary>
    /// <param name="names">Their names.</param>
    /// <param name="read">Gets each that exists, in no order.</param>
    public static Task<ZfsRefusals> FindSnapshotsAsync(
        this ZfsHost zfs,
        IEnumerable<SnapshotName> names,
        Action<LocalSnapshot> read,
        CancellationToken cancellationToken
    ) =>
        zfs.RunForAllAsync(
            ["list", "-H", "-p", "-t", "snapshot", "-o", SnapshotColumns],
            names.Select(name => name.ToString()),
            row => ReadRow(row, read),
            cancellationToken
        );

    /// <summary>The snapshots of a dataset that have clones, by name, with the names of the clones.</summary>
    public static async Task<IReadOnlyDictionary<string, string>> ListClonesAsync(
        this ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        var rows = await zfs.RunTableAsync(
            ["list", "-H", "-d", "1", "-t", "snapshot", "-o", "name,clones", dataset.Value],
            cancellationToken
        );
        return rows.Where(row => row is [_, not ("" or "-")])
            .ToDictionary(row => row[0], row => row[1].Replace(",", ", ", StringComparison.Ordinal));
    }

    /// <summary>Bytes that only the snapshots of each dataset hold; destroying them all would free so much.</summary>
    public static async Task<IReadOnlyDictionary<string, long>> GetUsedBySnapshotsAsync(
        this ZfsHost zfs,
        IEnumerable<DatasetName> datasets,
        CancellationToken cancellationToken
    )
    {
        Dictionary<string, long> used = new(StringComparer.Ordinal);
        await zfs.RunForAllAsync(
            ["list", "-H", "-p", "-o", "name,usedbysnapshots"],
            datasets.Select(dataset => dataset.Value),
            row => used[row[0]] = long.TryParse(row[1], CultureInfo.InvariantCulture, out var bytes) ? bytes : 0,
            cancellationToken
        );
        return used;
    }

    /// <summary>Destroys one snapshot. It accepts only a snapshot's name, so it cannot destroy a dataset.</summary>
    public static Task DestroySnapshotAsync(
        this ZfsHost zfs,
        SnapshotName snapshot,
        CancellationToken cancellationToken
    )
    {
        if (snapshot.IsBookmark)
            throw new ArgumentException($"{snapshot} is a bookmark", nameof(snapshot));
        return zfs.RunAsync(["destroy", snapshot.ToString()], cancellationToken);
    }

    /// <summary>
    /// Waits until a volume has no device, which is some moments after it was told to have none.
    /// </summary>
    /// <returns>False if it still has one after some seconds: it is open.</returns>
    public static async Task<bool> WaitForVolumeDeviceToGoAsync(
        this ZfsHost zfs,
        DatasetName volume,
        CancellationToken cancellationToken
    )
    {
        // udev's links have no blanks (OpenZFS udev/zvol_id.c).
        var device = $"/dev/zvol/{volume.Value.Replace(' ', '+')}";
        for (var attempt = 0; attempt < 10; attempt++)
        {
            if (!await zfs.PathExistsAsync(device, cancellationToken))
                return true;
            await Task.Delay(TimeSpan.FromSeconds(0.5), cancellationToken);
        }

        return false;
    }

    /// <summary>Destroys one bookmark, and accepts nothing else.</summary>
    public static Task DestroyBookmarkAsync(
        this ZfsHost zfs,
        SnapshotName bookmark,
        CancellationToken cancellationToken
    ) =>
        bookmark.IsBookmark
            ? zfs.RunAsync(["destroy", bookmark.ToString()], cancellationToken)
            : throw new ArgumentException($"{bookmark} is not a bookmark", nameof(bookmark));

    /// <summary>No snapshot of this tool has a name that these rules do not allow.</summary>
    private static void ReadRow(string[] row, Action<LocalSnapshot> read)
    {
        if (row.Length == SnapshotColumnCount && SnapshotName.TryParse(row[0], out _, out _))
            read(ParseRow(row));
    }

    private static LocalSnapshot ParseRow(string[] row) =>
        new(
            SnapshotName.Parse(row[0]),
            new SnapshotGuid(ulong.Parse(row[1], CultureInfo.InvariantCulture)),
            ulong.Parse(row[2], CultureInfo.InvariantCulture),
            DateTimeOffset.FromUnixTimeSeconds(long.Parse(row[3], CultureInfo.InvariantCulture)),
            Upload: null,
            row[4] is not ("0" or "-")
        );
}
