using System.Text.RegularExpressions;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// The errors of a command that was given several names: ZFS prints a line for each that it refuses (lib/libzfs,
/// <c>zfs_error</c>), such as <c>cannot create snapshot 'tank/a@x': dataset is busy</c>.
/// </summary>
internal static partial class ZfsErrorLines
{
    /// <returns>Names as ZFS printed them, each with its line.</returns>
    public static IReadOnlyList<(string Name, string Line)> Read(string standardError) =>
        [
            .. standardError
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => (Match: ErrorLine().Match(line), Line: line))
                .Where(found => found.Match.Success)
                .Select(found => (found.Match.Groups["name"].Value, found.Line)),
        ];

    /// <summary>No name contains a quote.</summary>
    [GeneratedRegex("^cannot [a-z ]+'(?<name>[^']+)': ", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex ErrorLine();
}
