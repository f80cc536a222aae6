using System.Globalization;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What this tool asks of, and does to, one dataset of this machine.</summary>
public static class ZfsDataset
{
    /// <summary>User property of the snapshots that this tool makes; its values are those of <see cref="UploadMark"/> in lower case.</summary>
    public const string UploadProperty = "zfs-snapshot-manager:upload";

    /// <summary>User property of the snapshots that this tool makes: what for, as <see cref="SnapshotTypes"/> writes it.</summary>
    public const string TypeProperty = "zfs-snapshot-manager:type";

    /// <summary>Tag of the hold on a snapshot whose upload is under way.</summary>
    public const string UploadHold = "zsm-upload";

    private const string SnapshotColumns = $"name,guid,createtxg,creation,{UploadProperty},userrefs,{TypeProperty}";

    public static async Task<bool> ExistsAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        try
        {
            await ZfsCommand.RunAsync(["list", "-H", "-o", "name", "-t", "filesystem,volume", dataset.Value], cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (ZfsException e) when (e.StandardError.Contains("dataset does not exist", StringComparison.Ordinal))
        {
            return false;
        }
    }

    /// <summary>Snapshots and bookmarks of one dataset, not of its children, oldest first.</summary>
    public static async Task<IReadOnlyList<LocalSnapshot>> ListSnapshotsAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        string[] arguments = ["list", "-H", "-p", "-d", "1", "-t", "snapshot,bookmark", "-o", SnapshotColumns, dataset.Value];
        var rows = await ZfsCommand.RunTableAsync(arguments, cancellationToken).ConfigureAwait(false);
        return [.. rows.Select(ParseRow).OrderBy(s => s.CreateTxg)];
    }

    /// <param name="name">Its name.</param>
    /// <param name="type">What it is made for.</param>
    /// <param name="upload">Null where it is not to be sent.</param>
    public static async Task<LocalSnapshot> CreateSnapshotAsync(SnapshotName name, SnapshotType type, UploadMark? upload, CancellationToken cancellationToken)
    {
        string[] mark = upload is { } value ? ["-o", $"{UploadProperty}={ToValue(value)}"] : [];
        await ZfsCommand.RunAsync(["snapshot", .. mark, "-o", $"{TypeProperty}={type.ToText()}", name.ToString()], cancellationToken).ConfigureAwait(false);
        var rows = await ZfsCommand.RunTableAsync(["list", "-H", "-p", "-t", "snapshot", "-o", SnapshotColumns, name.ToString()], cancellationToken).ConfigureAwait(false);
        return ParseRow(rows.Single());
    }

    public static Task MarkAsync(SnapshotName snapshot, UploadMark mark, CancellationToken cancellationToken) =>
        ZfsCommand.RunAsync(["set", $"{UploadProperty}={ToValue(mark)}", snapshot.ToString()], cancellationToken);

    /// <summary>Ends <see cref="MarkAsync"/>: the snapshot is not to be sent.</summary>
    public static Task UnmarkAsync(SnapshotName snapshot, CancellationToken cancellationToken) => ZfsCommand.RunAsync(["inherit", UploadProperty, snapshot.ToString()], cancellationToken);

    public static Task CreateBookmarkAsync(SnapshotName snapshot, CancellationToken cancellationToken) =>
        ZfsCommand.RunAsync(["bookmark", snapshot.ToString(), snapshot.AsBookmark().ToString()], cancellationToken);

    /// <summary>Sees to it that nobody destroys the snapshot before <see cref="ReleaseAsync"/>; to hold it twice is no fault.</summary>
    public static async Task HoldAsync(SnapshotName snapshot, CancellationToken cancellationToken)
    {
        try
        {
            await ZfsCommand.RunAsync(["hold", UploadHold, snapshot.ToString()], cancellationToken).ConfigureAwait(false);
        }
        catch (ZfsException e) when (e.StandardError.Contains("tag already exists", StringComparison.Ordinal))
        {
            // An earlier run held it.
        }
    }

    /// <summary>Ends <see cref="HoldAsync"/>; what is not held, or held by others, stays as it is.</summary>
    public static async Task ReleaseAsync(SnapshotName snapshot, CancellationToken cancellationToken)
    {
        var holds = await ZfsCommand.RunTableAsync(["holds", "-H", snapshot.ToString()], cancellationToken).ConfigureAwait(false);
        if (holds.Any(row => row is [_, UploadHold, ..])) await ZfsCommand.RunAsync(["release", UploadHold, snapshot.ToString()], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Destroys one snapshot; takes only a snapshot's name, so a dataset cannot be destroyed by it.</summary>
    public static Task DestroySnapshotAsync(SnapshotName snapshot, CancellationToken cancellationToken)
    {
        if (snapshot.IsBookmark) throw new ArgumentException($"{snapshot} is a bookmark", nameof(snapshot));
        return ZfsCommand.RunAsync(["destroy", snapshot.ToString()], cancellationToken);
    }

    /// <summary>Destroys one bookmark; takes nothing else.</summary>
    public static Task DestroyBookmarkAsync(SnapshotName bookmark, CancellationToken cancellationToken) =>
        bookmark.IsBookmark ? ZfsCommand.RunAsync(["destroy", bookmark.ToString()], cancellationToken) : throw new ArgumentException($"{bookmark} is not a bookmark", nameof(bookmark));

    private static LocalSnapshot ParseRow(string[] row) => new(
        SnapshotName.Parse(row[0]),
        new SnapshotGuid(ulong.Parse(row[1], CultureInfo.InvariantCulture)),
        ulong.Parse(row[2], CultureInfo.InvariantCulture),
        DateTimeOffset.FromUnixTimeSeconds(long.Parse(row[3], CultureInfo.InvariantCulture)),
        Enum.TryParse<UploadMark>(row[4], ignoreCase: true, out var mark) ? mark : null,
        row[5] is not ("0" or "-"),
        SnapshotTypes.TryParse(row[6]));

    private static string ToValue(UploadMark mark) => mark switch
    {
        UploadMark.Pending => "pending",
        _ => "committed",
    };
}
