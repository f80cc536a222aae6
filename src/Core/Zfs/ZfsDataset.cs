using System.Globalization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What this tool asks of datasets and does to them and their snapshots.</summary>
public static class ZfsDataset
{
    private static readonly string[] RecursiveOption = ["-r"];

    internal const string SnapshotColumns = "name,guid,createtxg,creation,userrefs";

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

    /// <summary>Lists datasets, and with them all descendants if asked: each once, parents before children.</summary>
    public static async Task<IReadOnlyList<DatasetFacts>> ListDatasetsAsync(
        this ZfsHost zfs,
        IReadOnlyCollection<DatasetName> roots,
        bool recursive,
        CancellationToken cancellationToken
    )
    {
        string[] arguments =
        [
            "list",
            "-H",
            "-p",
            .. recursive ? RecursiveOption : [],
            "-t",
            "filesystem,volume",
            "-o",
            "name,type,encryption",
            .. roots.Select(root => root.Value),
        ];
        var rows = await zfs.RunTableAsync(arguments, cancellationToken);
        return
        [
            .. rows.Select(row => new DatasetFacts(
                    DatasetName.Parse(row[0]),
                    row[1] == "volume",
                    row[2] is not ("off" or "-")
                ))
                .DistinctBy(facts => facts.Name)
                .OrderBy(facts => facts.Name.Value, StringComparer.Ordinal),
        ];
    }

    /// <summary>Whether a dataset was received without some of its blocks (<c>zfs send --redact</c>).</summary>
    public static async Task<bool> IsRedactedAsync(
        this ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return (
                await zfs.RunAsync(["get", "-H", "-o", "value", "redact_snaps", dataset.Value], cancellationToken)
            ).Trim()
                is not ("-" or "");
        }
        catch (ZfsException e) when (e.StandardError.Contains("invalid property", StringComparison.Ordinal))
        {
            return false; // a ZFS before 2.0
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

    /// <summary>Destroys one bookmark, and accepts nothing else.</summary>
    public static Task DestroyBookmarkAsync(
        this ZfsHost zfs,
        SnapshotName bookmark,
        CancellationToken cancellationToken
    ) =>
        bookmark.IsBookmark
            ? zfs.RunAsync(["destroy", bookmark.ToString()], cancellationToken)
            : throw new ArgumentException($"{bookmark} is not a bookmark", nameof(bookmark));

    internal static LocalSnapshot ParseRow(string[] row) =>
        new(
            SnapshotName.Parse(row[0]),
            new SnapshotGuid(ulong.Parse(row[1], CultureInfo.InvariantCulture)),
            ulong.Parse(row[2], CultureInfo.InvariantCulture),
            DateTimeOffset.FromUnixTimeSeconds(long.Parse(row[3], CultureInfo.InvariantCulture)),
            Upload: null,
            row[4] is not ("0" or "-")
        );
}
