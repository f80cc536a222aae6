using System.Globalization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>What the dataset that takes the place of another one must know of it.</summary>
/// <param name="Relative">Its name behind that of the root: empty for the root, otherwise beginning with a
/// slash.</param>
/// <param name="Guid">ZFS's number of the dataset, which no other one has, whatever its name is.</param>
/// <param name="IsMounted">Whether it is mounted.</param>
/// <param name="CanMount">Its own <c>canmount</c>; null: the default.</param>
/// <param name="Mountpoint">Its own <c>mountpoint</c>; null: inherited.</param>
internal sealed record ReplacedDataset(
    string Relative,
    ulong Guid,
    bool IsMounted,
    string? CanMount,
    string? Mountpoint
)
{
    /// <summary>Known only of a dataset that was read, not of a note.</summary>
    public bool IsVolume { get; init; }

    private const string None = "-";

    public string NameBelow(DatasetName root) => root.Value + Relative;

    /// <summary>As the value of a user property. The mountpoint is last, since it may have blanks.</summary>
    public string ToNote() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Guid} {(IsMounted ? "mounted" : "unmounted")} {CanMount ?? None} {Mountpoint ?? None}"
        );

    /// <returns>Null if the text is not a note.</returns>
    public static ReplacedDataset? FromNote(string relative, string text)
    {
        if (
            text.Split(' ', 4) is not [var number, var mounted, var canMount, var mountpoint]
            || !ulong.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var guid)
        )
            return null;
        return new ReplacedDataset(
            relative,
            guid,
            mounted == "mounted",
            canMount == None ? null : canMount,
            mountpoint == None ? null : mountpoint
        );
    }

    /// <param name="root">The root of the tree.</param>
    /// <param name="rows">The dataset's properties, each with name, property, value and source.</param>
    public static ReplacedDataset Parse(DatasetName root, IGrouping<string, string[]> rows)
    {
        var values = rows.ToDictionary(row => row[1], row => row, StringComparer.Ordinal);
        return new ReplacedDataset(
            rows.Key[root.Value.Length..],
            ulong.Parse(values["guid"][2], CultureInfo.InvariantCulture),
            values["mounted"][2] == "yes",
            Own("canmount"),
            Own("mountpoint")
        )
        {
            IsVolume = values["type"][2] == "volume",
        };

        // A received value counts as the dataset's own, as long as nothing else is set.
        string? Own(string property) => values[property] is [_, _, var value, "local" or "received"] ? value : null;
    }
}
