using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Sets on a restored dataset the stored properties of its source, except those that could do harm here.
/// </summary>
internal static class PropertyRestore
{
    /// <summary>
    /// Properties that would mount or share the dataset, which a restore never does by itself; that come with the
    /// stream and cannot be set later; and that concern keys on the source's machine.
    /// </summary>
    private static readonly HashSet<string> Excluded = new(StringComparer.Ordinal)
    {
        "mountpoint",
        "canmount",
        "sharenfs",
        "sharesmb",
        "zoned",
        "jailed",
        "volsize",
        "volblocksize",
        "utf8only",
        "normalization",
        "casesensitivity",
        "version",
        "encryption",
        "keyformat",
        "keylocation",
        "pbkdf2iters",
    };

    /// <returns>Which properties were set, and which were not.</returns>
    public static async Task<RestoredProperties> RunAsync(
        ZfsHost zfs,
        DatasetName dataset,
        Manifest manifest,
        CancellationToken cancellationToken
    )
    {
        List<string> set = [];
        var skipped = (manifest.PropertiesLeftOut ?? []).ToDictionary(
            name => name,
            _ => "it is too long to be stored with a backup in the server's ZFS",
            StringComparer.Ordinal
        );
        foreach (
            var (name, value) in (manifest.Properties ?? new Dictionary<string, string>()).OrderBy(
                property => property.Key,
                StringComparer.Ordinal
            )
        )
        {
            if (Excluded.Contains(name))
                skipped[name] = "a restore does not change it";
            else if (!IsName(name))
                skipped[name] = "it is not a property name";
            else if (await TrySetAsync(zfs, dataset, name, value, cancellationToken) is { } fault)
                skipped[name] = fault;
            else
                set.Add(name);
        }

        return new RestoredProperties
        {
            Dataset = dataset.Value,
            Set = set,
            Skipped = skipped,
        };
    }

    private static bool IsName(string name) =>
        name.Length > 0
        && char.IsAsciiLetterOrDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is ':' or '-' or '.' or '_' or '@' or '+');

    /// <returns>Why it was not set; null if it was.</returns>
    private static async Task<string?> TrySetAsync(
        ZfsHost zfs,
        DatasetName dataset,
        string name,
        string value,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await zfs.RunAsync(["set", $"{name}={value}", dataset.Value], cancellationToken);
            return null;
        }
        catch (ZfsException e)
        {
            return e.StandardError.Trim();
        }
    }
}

/// <summary>Which of a dataset's properties were restored.</summary>
internal sealed record RestoredProperties
{
    public required string Dataset { get; init; }

    public required IReadOnlyList<string> Set { get; init; }

    /// <summary>Reasons by name.</summary>
    public required IReadOnlyDictionary<string, string> Skipped { get; init; }

    /// <summary>Why its properties are unknown; left out if they are known.</summary>
    public string? Fault { get; init; }
}
