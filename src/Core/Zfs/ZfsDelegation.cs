using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// The permissions that <c>zfs allow</c> has delegated to a user on a dataset, read from what <c>zfs allow DATASET</c>
/// prints (zfs-allow(8)).
/// </summary>
public static class ZfsDelegation
{
    private const string Header = "---- Permissions on ";

    /// <summary>
    /// What backups need on the dataset: to make snapshots, marks, holds and bookmarks, and to destroy what rotation
    /// does not keep.
    /// </summary>
    public static IReadOnlyList<string> ForBackup { get; } =
    ["bookmark", "destroy", "hold", "mount", "release", "send", "snapshot", "userprop"];

    /// <summary>What a restore needs on the dataset below which it makes others.</summary>
    public static IReadOnlyList<string> ForRestore { get; } =
    ["canmount", "create", "destroy", "mount", "receive", "rename", "userprop", "volmode"];

    /// <summary>
    /// What a server needs on the dataset below which it stores backups: each was tried to be left out on OpenZFS
    /// 2.3.2. docs/zfs-storage.md says what they are for.
    /// </summary>
    public static IReadOnlyList<string> ForStorage { get; } =
    [
        "create",
        "mount",
        "receive",
        "destroy",
        "send",
        "userprop",
        "quota",
        "canmount",
        "mountpoint",
        "readonly",
        "setuid",
        "exec",
        "devices",
        "sharenfs",
        "sharesmb",
        "atime",
        "volmode",
    ];

    /// <summary>The command that root has to run.</summary>
    public static string AllowLine(string user, IEnumerable<string> permissions, DatasetName dataset) =>
        $"zfs allow -u {user} {string.Join(',', permissions)} "
        + $"{(dataset.Value.Contains(' ', StringComparison.Ordinal) ? $"'{dataset}'" : dataset)}";

    /// <returns>Those of the permissions that the user lacks.</returns>
    public static async Task<IReadOnlyList<string>> FindMissingAsync(
        ZfsHost zfs,
        DatasetName dataset,
        ZfsUser user,
        IEnumerable<string> needed,
        CancellationToken cancellationToken
    )
    {
        if (user.IsRoot)
            return [];
        var granted = Parse(await zfs.RunAsync(["allow", dataset.Value], cancellationToken), dataset, user);
        return [.. needed.Where(permission => !granted.Contains(permission))];
    }

    /// <summary>
    /// Reads the command's output. Permissions for a dataset's descendants only are not permissions on the dataset, and
    /// vice versa.
    /// </summary>
    public static IReadOnlySet<string> Parse(string output, DatasetName dataset, ZfsUser user)
    {
        var granted = new HashSet<string>(StringComparer.Ordinal);
        var sets = new Dictionary<string, string[]>(StringComparer.Ordinal);
        var (isHere, section) = (false, "");
        foreach (var line in output.Split('\n'))
        {
            if (line.StartsWith(Header, StringComparison.Ordinal))
                isHere =
                    line[Header.Length..].Split(' ')[0] == dataset.Value
                    || line[Header.Length..].StartsWith(dataset.Value + " ", StringComparison.Ordinal);
            else if (line.Length > 0 && line[0] != '\t')
                section = line.TrimEnd(':', ' ');
            else if (line.Length > 0)
                Read(
                    line.Split((char[])['\t', ' '], StringSplitOptions.RemoveEmptyEntries),
                    Holds(section, isHere),
                    section
                );
        }

        foreach (var name in granted.Where(sets.ContainsKey).ToList())
            granted.UnionWith(sets[name]);
        return granted;

        void Read(string[] words, bool holds, string of)
        {
            if (of == "Permission sets" && words is [var set, var members])
                sets[set] = members.Split(',');
            else if (holds && IsFor(words, user))
                granted.UnionWith(words[^1].Split(','));
        }
    }

    private static bool Holds(string section, bool isHere) =>
        section switch
        {
            "Local permissions" => isHere,
            "Descendent permissions" => !isHere,
            "Local+Descendent permissions" => true,
            _ => false, // "Create time permissions" are for the user that creates a dataset
        };

    private static bool IsFor(string[] words, ZfsUser user) =>
        words switch
        {
            ["user", var name, _] => name == user.Name,
            ["group", var name, _] => user.Groups.Contains(name),
            ["everyone", _] => true,
            _ => false,
        };
}
