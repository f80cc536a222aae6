using System.Globalization;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>What a restore has received so far, and may be an earlier run's.</summary>
/// <param name="Received">The <see cref="ChainDigest"/> of what is received last; null if none was noted.</param>
/// <param name="Snapshots">Its snapshots, oldest first.</param>
/// <param name="Token">Its property <c>receive_resume_token</c>; null if it has none.</param>
internal sealed record PartialDataset(string? Received, IReadOnlyList<PartialSnapshot> Snapshots, string? Token)
{
    /// <summary>Whether it has the mark of a restore, and not only from a dataset above it.</summary>
    public bool IsMarked { get; init; }

    /// <summary>
    /// Reads what a dataset holds, whoever created it. Only marks that were set on it itself count: those that came
    /// with a replica are of another machine.
    /// </summary>
    public static async Task<PartialDataset> ReadAsync(
        ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        var rows = await zfs.RunTableAsync(
            [
                "get",
                "-H",
                "-p",
                "-o",
                "property,value,source",
                $"{RestoreMarks.Mark},{RestoreMarks.Received},receive_resume_token,creation",
                dataset.Value,
            ],
            cancellationToken
        );
        // A mark that somebody else wrote may have line breaks or tabs. Then its lines are no rows, and ZFS's own
        // properties are those that come last.
        var values = rows.Where(row => row is [_, _, _])
            .GroupBy(row => row[0], StringComparer.Ordinal)
            .ToDictionary(found => found.Key, found => found.Last(), StringComparer.Ordinal);
        string? Local(string property) =>
            values.TryGetValue(property, out var row) && row[2] == "local" ? row[1] : null;
        var creation = DateTimeOffset.FromUnixTimeSeconds(
            long.Parse(values["creation"][1], CultureInfo.InvariantCulture)
        );
        var token = values["receive_resume_token"][1];
        var snapshots = await zfs.ListSnapshotsAsync(dataset, cancellationToken);
        return new PartialDataset(
            Local(RestoreMarks.Received),
            [
                .. snapshots
                    .Where(snapshot => !snapshot.Name.IsBookmark)
                    .Select(snapshot => PartialSnapshot.Of(snapshot, creation)),
            ],
            token == "-" ? null : token
        )
        {
            IsMarked = Local(RestoreMarks.Mark) == RestoreMarks.Partial,
        };
    }

    public bool Has(SnapshotGuid guid) => Snapshots.Any(snapshot => snapshot.Guid == guid);
}
