using System.Globalization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What this tool asks of datasets and does to them and their snapshots.</summary>
public static class ZfsDataset
{
    /// <summary>
    /// User property of the snapshots that this tool makes. Its values are those of <see cref="UploadMark"/> in lower
    /// case.
    /// </summary>
    public const string UploadProperty = "zfs-snapshot-manager:upload";

    /// <summary>
    /// User property of the snapshots that this tool makes: why it made them, as <see cref="SnapshotTypes"/> writes it.
    /// </summary>
    public const string TypeProperty = "zfs-snapshot-manager:type";

    /// <summary>Tag of the hold on a snapshot that is being uploaded.</summary>
    public const string UploadHold = "zsm-upload";

    /// <summary>Below the limit of a command line: 2 MiB on Linux, including the environment (execve(2)).</summary>
    private const int MaxArgumentBytes = 1_500_000;

    private static readonly string[] RecursiveOption = ["-r"];

    private const string SnapshotColumns = $"name,guid,createtxg,creation,{UploadProperty},userrefs,{TypeProperty}";

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

    /// <summary>Snapshots and bookmarks of one dataset, not of its children, oldest first.</summary>
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
    /// Makes snapshots of one moment, all or none: nothing is written to any of the datasets between them (one
    /// transaction group of the pool, zfs-snapshot(8)).
    /// </summary>
    /// <param name="names">All of one pool.</param>
    /// <param name="type">What they are made for.</param>
    /// <param name="upload">Null if they are not to be sent.</param>
    public static async Task<IReadOnlyList<LocalSnapshot>> CreateSnapshotsAsync(
        this ZfsHost zfs,
        IReadOnlyList<SnapshotName> names,
        SnapshotType type,
        UploadMark? upload,
        CancellationToken cancellationToken
    )
    {
        string[] mark = upload is { } value ? ["-o", $"{UploadProperty}={ToValue(value)}"] : [];
        string[] all = [.. names.Select(name => name.ToString())];
        if (all.Sum(name => name.Length + 1) > MaxArgumentBytes)
            throw new OperationException(
                ExitCode.Conflict,
                $"{all.Length} datasets are too many for one joint snapshot.",
                "Select fewer with LOCAL_DATASET and EXCLUDE, and back up the others separately."
            );
        await zfs.RunAsync(["snapshot", .. mark, "-o", $"{TypeProperty}={type.ToText()}", .. all], cancellationToken);
        var rows = await zfs.RunTableAsync(
            ["list", "-H", "-p", "-t", "snapshot", "-o", SnapshotColumns, .. all],
            cancellationToken
        );
        var made = rows.Select(ParseRow).ToDictionary(snapshot => snapshot.Name);
        return [.. names.Select(name => made[name])];
    }

    public static Task MarkAsync(
        this ZfsHost zfs,
        SnapshotName snapshot,
        UploadMark mark,
        CancellationToken cancellationToken
    ) => zfs.RunAsync(["set", $"{UploadProperty}={ToValue(mark)}", snapshot.ToString()], cancellationToken);

    /// <summary>Removes the mark of <see cref="MarkAsync"/>: the snapshot is not to be sent.</summary>
    public static Task UnmarkAsync(this ZfsHost zfs, SnapshotName snapshot, CancellationToken cancellationToken) =>
        zfs.RunAsync(["inherit", UploadProperty, snapshot.ToString()], cancellationToken);

    public static Task CreateBookmarkAsync(
        this ZfsHost zfs,
        SnapshotName snapshot,
        CancellationToken cancellationToken
    ) => zfs.RunAsync(["bookmark", snapshot.ToString(), snapshot.AsBookmark().ToString()], cancellationToken);

    /// <summary>
    /// Prevents the snapshot from being destroyed before <see cref="ReleaseAsync"/>. Holding it twice is no fault.
    /// </summary>
    public static async Task HoldAsync(this ZfsHost zfs, SnapshotName snapshot, CancellationToken cancellationToken)
    {
        try
        {
            await zfs.RunAsync(["hold", UploadHold, snapshot.ToString()], cancellationToken);
        }
        catch (ZfsException e) when (e.StandardError.Contains("tag already exists", StringComparison.Ordinal))
        {
            // An earlier run held it.
        }
    }

    /// <summary>Ends <see cref="HoldAsync"/>. Other holds remain; a snapshot that is not held stays as it is.</summary>
    public static async Task ReleaseAsync(this ZfsHost zfs, SnapshotName snapshot, CancellationToken cancellationToken)
    {
        var holds = await zfs.RunTableAsync(["holds", "-H", snapshot.ToString()], cancellationToken);
        if (holds.Any(row => row is [_, UploadHold, ..]))
            await zfs.RunAsync(["release", UploadHold, snapshot.ToString()], cancellationToken);
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

    private static LocalSnapshot ParseRow(string[] row) =>
        new(
            SnapshotName.Parse(row[0]),
            new SnapshotGuid(ulong.Parse(row[1], CultureInfo.InvariantCulture)),
            ulong.Parse(row[2], CultureInfo.InvariantCulture),
            DateTimeOffset.FromUnixTimeSeconds(long.Parse(row[3], CultureInfo.InvariantCulture)),
            Enum.TryParse<UploadMark>(row[4], ignoreCase: true, out var mark) ? mark : null,
            row[5] is not ("0" or "-"),
            SnapshotTypes.TryParse(row[6])
        );

    private static string ToValue(UploadMark mark) =>
        mark switch
        {
            UploadMark.Pending => "pending",
            _ => "committed",
        };
}
