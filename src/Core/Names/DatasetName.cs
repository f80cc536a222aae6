using System.Diagnostics.CodeAnalysis;

namespace ZfsSnapshotManager.Core.Names;

/// <summary>The name of a ZFS file system or volume, such as <c>tank/home/ann</c>.</summary>
/// <remarks>
/// The rules are those of OpenZFS's <c>zfs_namecheck.c</c>: components separated by <c>/</c>, each of letters, digits
/// and <c>_ - . :</c> and space, none of them empty, <c>.</c> or <c>..</c>; at most 255 bytes in all; the pool's name
/// starts with a letter. A valid name can be passed to <c>zfs</c> as one argument, and never looks like an option.
/// </remarks>
public sealed record DatasetName
{
    /// <summary>ZFS_MAX_DATASET_NAME_LEN less the terminating NUL.</summary>
    public const int MaxLength = 255;

    private DatasetName(string value) => Value = value;

    public string Value { get; }

    /// <summary>The name of its pool.</summary>
    public string Pool => Value.Split('/')[0];

    public bool IsPool => !Value.Contains('/', StringComparison.Ordinal);

    public static DatasetName Parse(string value) =>
        TryParse(value, out var name, out var fault)
            ? name
            : throw new FormatException($"'{value}' is not a dataset name: {fault}");

    public static bool TryParse(
        string? value,
        [NotNullWhen(true)] out DatasetName? name,
        [NotNullWhen(false)] out string? fault
    )
    {
        name = null;
        fault = FindFault(value);
        if (fault is not null)
            return false;
        name = new DatasetName(value!);
        return true;
    }

    public override string ToString() => Value;

    private static string? FindFault(string? value)
    {
        if (string.IsNullOrEmpty(value))
            return "it is empty";
        if (value.Length > MaxLength)
            return $"it is longer than {MaxLength} characters";
        if (!char.IsAsciiLetter(value[0]))
            return "a pool's name starts with a letter";
        foreach (var component in value.Split('/'))
        {
            if (component.Length == 0)
                return "it has an empty component";
            if (component is "." or "..")
                return "'.' and '..' are not allowed as components";
            if (NameCharacters.FirstInvalid(component) is { } invalid)
                return $"the character '{invalid}' is not allowed";
        }

        return value[^1] == ' ' ? "it ends in a space" : null;
    }
}
