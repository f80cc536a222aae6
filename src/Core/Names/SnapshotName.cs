using System.Diagnostics.CodeAnalysis;

namespace ZfsSnapshotManager.Core.Names;

/// <summary>The full name of a snapshot (<c>tank/data@monday</c>) or bookmark (<c>tank/data#monday</c>).</summary>
public sealed record SnapshotName(DatasetName Dataset, char Separator, string Leaf)
{
    public bool IsBookmark => Separator == '#';

    public static SnapshotName Snapshot(DatasetName dataset, string leaf) =>
        TryParse($"{dataset}@{leaf}", out var name, out var fault)
            ? name
            : throw new FormatException($"'{dataset}@{leaf}' is not a snapshot name: {fault}");

    public static SnapshotName Parse(string value) =>
        TryParse(value, out var name, out var fault)
            ? name
            : throw new FormatException($"'{value}' is not a snapshot name: {fault}");

    public static bool TryParse(
        string? value,
        [NotNullWhen(true)] out SnapshotName? name,
        [NotNullWhen(false)] out string? fault
    )
    {
        name = null;
        var at = value?.IndexOfAny(['@', '#']) ?? -1;
        if (at < 0)
        {
            fault = "it has no '@'";
            return false;
        }

        if (!DatasetName.TryParse(value![..at], out var dataset, out fault))
            return false;
        var leaf = value[(at + 1)..];
        fault = FindFault(value, leaf);
        if (fault is not null)
            return false;
        name = new SnapshotName(dataset, value[at], leaf);
        return true;
    }

    public override string ToString() => $"{Dataset}{Separator}{Leaf}";

    private static string? FindFault(string whole, string leaf)
    {
        if (leaf.Length == 0)
            return "the part after '@' is empty";
        if (whole.Length > DatasetName.MaxLength)
            return $"it is longer than {DatasetName.MaxLength} characters";
        return NameCharacters.FirstInvalid(leaf) is { } invalid ? $"the character '{invalid}' is not allowed" : null;
    }
}
