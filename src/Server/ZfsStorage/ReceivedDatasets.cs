using System.Globalization;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>Lists what the server has received, with two commands for any number of snapshots.</summary>
internal static class ReceivedDatasets
{
    private const string DatasetColumns =
        $"name,receive_resume_token,{ZfsStorageProperties.Client},{ZfsStorageProperties.Source}";

    private const int DatasetColumnCount = 4;

    private const int SnapshotColumnCount = 7;

    private const string SnapshotColumns = $"name,guid,createtxg,userrefs,clones,written,{ZfsStorageProperties.Note}";

    /// <summary>A client's received datasets.</summary>
    /// <param name="parent">The dataset that contains them.</param>
    /// <exception cref="ZfsException">ZFS does not answer, or the dataset does not exist.</exception>
    public static async Task<IReadOnlyList<ChainDataset>> ListAsync(
        ZfsHost zfs,
        DatasetName parent,
        string clientId,
        CancellationToken cancellationToken
    )
    {
        string[] of = ["list", "-H", "-p", "-r"];
        var datasets = await zfs.RunTableAsync(
            [.. of, "-d", "1", "-t", "filesystem,volume", "-o", DatasetColumns, parent.Value],
            cancellationToken
        );
        var snapshots = await zfs.RunTableAsync(
            [.. of, "-d", "2", "-t", "snapshot", "-o", SnapshotColumns, parent.Value],
            cancellationToken
        );
        return Parse(parent, clientId, datasets, snapshots);
    }

    /// <summary>Every name in use below a dataset, of any owner.</summary>
    public static async Task<IReadOnlySet<string>> ListNamesAsync(
        ZfsHost zfs,
        DatasetName parent,
        CancellationToken cancellationToken
    )
    {
        var rows = await zfs.RunTableAsync(
            ["list", "-H", "-r", "-d", "1", "-t", "filesystem,volume", "-o", "name", parent.Value],
            cancellationToken
        );
        return rows.Select(row => row[0]).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>
    /// Combines the output of ZFS. Datasets that others made below the parent lack one of the properties, or are at a
    /// deeper level, and are left out. So are lines that are the rest of a value with a line break: the user properties
    /// are the last columns, and this program's have none.
    /// </summary>
    public static IReadOnlyList<ChainDataset> Parse(
        DatasetName parent,
        string clientId,
        IEnumerable<string[]> datasets,
        IEnumerable<string[]> snapshots
    )
    {
        var received = snapshots
            .Where(row => row.Length == SnapshotColumnCount)
            .Select(ParseSnapshot)
            .ToLookup(snapshot => snapshot.Name.Dataset.Value, StringComparer.Ordinal);
        return
        [
            .. datasets
                .Where(row => row.Length == DatasetColumnCount)
                .Where(row => row[0] != parent.Value && row[2] == clientId && row[3] != "-")
                .Select(row => new ChainDataset(
                    DatasetName.Parse(row[0]),
                    row[2],
                    row[3],
                    ValueOf(row[1]),
                    [.. received[row[0]].OrderBy(snapshot => snapshot.CreateTxg)]
                )),
        ];
    }

    private static ReceivedSnapshot ParseSnapshot(string[] row) =>
        new(
            SnapshotName.Parse(row[0]),
            new SnapshotGuid(ulong.Parse(row[1], CultureInfo.InvariantCulture)),
            ulong.Parse(row[2], CultureInfo.InvariantCulture),
            int.TryParse(row[3], NumberStyles.None, CultureInfo.InvariantCulture, out var holds) ? holds : 0,
            ValueOf(row[4]) ?? "",
            long.Parse(row[5], CultureInfo.InvariantCulture),
            ValueOf(row[6])
        );

    private static string? ValueOf(string text) => text is "" or "-" ? null : text;
}
