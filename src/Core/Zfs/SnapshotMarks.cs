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

    private static readonly string[] LocalMarks =
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
    ];

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
        var rows = await zfs.RunTableAsync([.. LocalMarks, dataset.Value], cancellationToken);
        return AddMarks(snapshots, rows);
    }

    /// <summary>The same for many datasets, in a few commands for all and in no order.</summary>
    public static async Task<(IReadOnlyList<LocalSnapshot> Found, ZfsRefusals Refusals)> ListMarkedSnapshotsAsync(
        this ZfsHost zfs,
        IReadOnlyCollection<DatasetName> datasets,
        CancellationToken cancellationToken
    )
    {
        List<LocalSnapshot> snapshots = [];
        var refusals = await zfs.ReadSnapshotsAsync(datasets, snapshots.Add, cancellationToken);
        List<string[]> marks = [];
        if (snapshots.Exists(snapshot => !snapshot.Name.IsBookmark))
            refusals.Add(
                await zfs.RunForAllAsync(
                    LocalMarks,
                    datasets.Select(dataset => dataset.Value),
                    marks.Add,
                    cancellationToken
                )
            );
        return (AddMarks(snapshots, marks), refusals);
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
    /// Makes snapshots of many datasets. Those of one pool are of one moment, if ZFS lets them; datasets that ZFS
    /// refuses are left out.
    /// </summary>
    /// <param name="names">One for each dataset.</param>
    /// <param name="type">What they are made for.</param>
    /// <param name="upload">Null if they are not to be sent.</param>
    public static async Task<JointSnapshotResult> CreateSnapshotsAsync(
        this ZfsHost zfs,
        IEnumerable<SnapshotName> names,
        SnapshotType type,
        UploadMark? upload,
        CancellationToken cancellationToken
    )
    {
        string[] mark = upload is null ? [] : [$"{UploadMark.Property}={upload}"];
        string[] properties = [.. mark, $"{TypeProperty}={type.ToText()}"];
        List<JointSnapshotResult> results = [];
        foreach (var pool in names.GroupBy(name => name.Dataset.Pool, StringComparer.Ordinal))
            results.Add(await new JointSnapshot(zfs, properties).CreateAsync([.. pool], cancellationToken));
        var all = JointSnapshotResult.Of(results);
        return all with
        {
            Created = [.. all.Created.Select(snapshot => snapshot with { Upload = upload, Type = type })],
        };
    }

    /// <summary>Marks snapshots.</summary>
    public static Task<ZfsRefusals> MarkAsync(
        this ZfsHost zfs,
        IEnumerable<SnapshotName> snapshots,
        UploadMark mark,
        CancellationToken cancellationToken
    ) => zfs.RunForAllAsync(["set", $"{UploadMark.Property}={mark}"], Texts(snapshots), cancellationToken);

    /// <summary>Removes the mark of <see cref="MarkAsync"/>: the snapshots are not to be sent.</summary>
    public static Task<ZfsRefusals> UnmarkAsync(
        this ZfsHost zfs,
        IEnumerable<SnapshotName> snapshots,
        CancellationToken cancellationToken
    ) => zfs.RunForAllAsync(["inherit", UploadMark.Property], Texts(snapshots), cancellationToken);

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
        var existing = await zfs.RunAsync(
            ["list", "-H", "-p", "-t", "bookmark", "-o", "guid", $"{bookmark}"],
            cancellationToken
        );
        if (existing.Trim() != guid.ToString())
            await TryBookmarkAsync(zfs, source, owner.ShortBookmarkOf(source, guid), cancellationToken);
    }

    /// <summary>
    /// Prevents snapshots from being destroyed until they are released. Holding one twice is no fault.
    /// </summary>
    public static async Task<ZfsRefusals> HoldAsync(
        this ZfsHost zfs,
        string tag,
        IEnumerable<SnapshotName> snapshots,
        CancellationToken cancellationToken
    )
    {
        var refusals = await zfs.RunForAllAsync(["hold", tag], Texts(snapshots), cancellationToken);
        return refusals.Except("tag already exists"); // an earlier run held it
    }

    /// <summary>
    /// Ends <see cref="HoldAsync"/>. Holds with other tags remain; a snapshot that has no such hold stays as it is.
    /// </summary>
    public static async Task<ZfsRefusals> ReleaseAsync(
        this ZfsHost zfs,
        string tag,
        IEnumerable<SnapshotName> snapshots,
        CancellationToken cancellationToken
    )
    {
        List<SnapshotName> all = [.. snapshots];
        var refusals = await zfs.RunForAllAsync(["release", tag], Texts(all), cancellationToken);
        refusals = refusals.Except("no such tag");
        if (refusals.All.Count == 0)
            return refusals;
        // A user who may neither hold nor release has nothing to release.
        var refused = all.Where(snapshot => refusals.Find(snapshot) is not null);
        HashSet<string> held = new(StringComparer.Ordinal);
        await zfs.RunForAllAsync(
            ["holds", "-H"],
            Texts(refused),
            row =>
            {
                if (row is [var name, var found, ..] && found == tag)
                    held.Add(name);
            },
            cancellationToken
        );
        return refusals.Only(held);
    }

    private static IEnumerable<string> Texts(IEnumerable<SnapshotName> snapshots) =>
        snapshots.Select(snapshot => snapshot.ToString());

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
