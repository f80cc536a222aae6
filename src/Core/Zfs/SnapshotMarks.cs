using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// Snapshots that this tool makes, and what it puts on them: marks (user properties), holds and bookmarks. What they
/// look like is decided by <see cref="UploadMark"/> and <see cref="MarkOwner"/>.
/// </summary>
public static class SnapshotMarks
{
    /// <summary>
    /// User property of the snapshots that this tool makes: why it made them, as <see cref="SnapshotTypes"/> writes it.
    /// Like <see cref="UploadMark.Property"/> it counts only if it was set on the snapshot itself.
    /// </summary>
    public const string TypeProperty = "zfs-snapshot-manager:type";

    /// <summary>Below the limit of a command line: 2 MiB on Linux, including the environment (execve(2)).</summary>
    private const int MaxArgumentBytes = 1_500_000;

    /// <summary>
    /// Snapshots and bookmarks of one dataset, not of its children, with this tool's marks on them, oldest first.
    /// </summary>
    public static async Task<IReadOnlyList<LocalSnapshot>> ListMarkedSnapshotsAsync(
        this ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        var snapshots = await zfs.ListSnapshotsAsync(dataset, cancellationToken);
        if (!snapshots.Any(snapshot => !snapshot.Name.IsBookmark))
            return snapshots;
        // Local: "zfs list" would also show what snapshots inherit from their dataset, and what a replica received.
        var rows = await zfs.RunTableAsync(
            [
                "get",
                "-H",
                "-s",
                "local",
                "-d",
                "1",
                "-t",
                "snapshot",
                "-o",
                "name,property,value",
                $"{UploadMark.Property},{TypeProperty}",
                dataset.Value,
            ],
            cancellationToken
        );
        return AddMarks(snapshots, rows);
    }

    /// <summary>Adds the marks to the snapshots that have them.</summary>
    /// <param name="snapshots">Snapshots and bookmarks.</param>
    /// <param name="marks">Rows of <c>zfs get -H -s local -o name,property,value</c>.</param>
    public static IReadOnlyList<LocalSnapshot> AddMarks(
        IReadOnlyList<LocalSnapshot> snapshots,
        IEnumerable<string[]> marks
    )
    {
        var uploads = new Dictionary<string, UploadMark>(StringComparer.Ordinal);
        var types = new Dictionary<string, SnapshotType>(StringComparer.Ordinal);
        foreach (var row in marks)
        {
            switch (row)
            {
                case [var name, UploadMark.Property, var value] when UploadMark.TryParse(value) is { } mark:
                    uploads[name] = mark;
                    break;
                case [var name, TypeProperty, var value] when SnapshotTypes.TryParse(value) is { } type:
                    types[name] = type;
                    break;
            }
        }

        return
        [
            .. snapshots.Select(snapshot =>
            {
                var name = snapshot.Name.ToString();
                return snapshot with
                {
                    Upload = uploads.GetValueOrDefault(name),
                    Type = types.TryGetValue(name, out var type) ? type : null,
                };
            }),
        ];
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
        string[] mark = upload is { } value ? ["-o", $"{UploadMark.Property}={value}"] : [];
        string[] all = [.. names.Select(name => name.ToString())];
        if (all.Sum(name => name.Length + 1) > MaxArgumentBytes)
            throw new OperationException(
                ExitCode.Conflict,
                $"{all.Length} datasets are too many for one joint snapshot.",
                "Select fewer with LOCAL_DATASET and EXCLUDE, and back up the others separately."
            );
        await zfs.RunAsync(["snapshot", .. mark, "-o", $"{TypeProperty}={type.ToText()}", .. all], cancellationToken);
        var rows = await zfs.RunTableAsync(
            ["list", "-H", "-p", "-t", "snapshot", "-o", ZfsDataset.SnapshotColumns, .. all],
            cancellationToken
        );
        var made = rows.Select(row => ZfsDataset.ParseRow(row) with { Upload = upload, Type = type })
            .ToDictionary(snapshot => snapshot.Name);
        return [.. names.Select(name => made[name])];
    }

    public static Task MarkAsync(
        this ZfsHost zfs,
        IEnumerable<SnapshotName> snapshots,
        UploadMark mark,
        CancellationToken cancellationToken
    ) =>
        zfs.RunAsync(
            ["set", $"{UploadMark.Property}={mark}", .. snapshots.Select(name => name.ToString())],
            cancellationToken
        );

    /// <summary>Removes the mark of <see cref="MarkAsync"/>: the snapshot is not to be sent.</summary>
    public static Task UnmarkAsync(this ZfsHost zfs, SnapshotName snapshot, CancellationToken cancellationToken) =>
        zfs.RunAsync(["inherit", UploadMark.Property, snapshot.ToString()], cancellationToken);

    /// <summary>
    /// Bookmarks a snapshot, or copies a bookmark (OpenZFS 2.0 and later can). If it is bookmarked already, nothing
    /// happens.
    /// </summary>
    /// <param name="owner">Whose bookmark it is.</param>
    public static async Task CreateBookmarkAsync(
        this ZfsHost zfs,
        SnapshotName source,
        SnapshotGuid guid,
        MarkOwner owner,
        CancellationToken cancellationToken
    )
    {
        var bookmark = owner.BookmarkOf(source, guid);
        if (await TryBookmarkAsync(zfs, source, bookmark, cancellationToken))
            return;
        var existing = await zfs.RunAsync(["list", "-H", "-p", "-o", "guid", $"{bookmark}"], cancellationToken);
        if (existing.Trim() != guid.ToString())
            await TryBookmarkAsync(zfs, source, owner.ShortBookmarkOf(source, guid), cancellationToken);
    }

    /// <summary>
    /// Prevents the snapshot from being destroyed until it is released. Holding it twice is no fault.
    /// </summary>
    public static async Task HoldAsync(
        this ZfsHost zfs,
        string tag,
        SnapshotName snapshot,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await zfs.RunAsync(["hold", tag, snapshot.ToString()], cancellationToken);
        }
        catch (ZfsException e) when (e.StandardError.Contains("tag already exists", StringComparison.Ordinal))
        {
            // An earlier run held it.
        }
    }

    /// <summary>
    /// Ends <see cref="HoldAsync"/>. Holds with other tags remain; a snapshot that has no such hold stays as it is.
    /// </summary>
    public static async Task ReleaseAsync(
        this ZfsHost zfs,
        string tag,
        SnapshotName snapshot,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await zfs.RunAsync(["release", tag, snapshot.ToString()], cancellationToken);
        }
        catch (ZfsException)
        {
            // "no such tag"; or a user who may neither hold nor release, so that there is nothing to release.
            var holds = await zfs.RunTableAsync(["holds", "-H", snapshot.ToString()], cancellationToken);
            if (holds.Any(row => row is [_, var held, ..] && held == tag))
                throw;
        }
    }

    /// <returns>False if a bookmark of that name exists.</returns>
    private static async Task<bool> TryBookmarkAsync(
        ZfsHost zfs,
        SnapshotName source,
        SnapshotName bookmark,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await zfs.RunAsync(["bookmark", $"{source}", $"{bookmark}"], cancellationToken);
            return true;
        }
        catch (ZfsException e) when (e.StandardError.Contains("bookmark exists", StringComparison.Ordinal))
        {
            return false;
        }
    }
}
