using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Gives a restored dataset the properties that its source had, as far as they are stored and do no harm here.
/// </summary>
internal static class PropertyRestore
{
    /// <summary>
    /// What would mount or share it, which a restore never does by itself; what is the stream's, and cannot be set
    /// later; what concerns keys that are where the source is.
    /// </summary>
    private static readonly HashSet<string> Left = new(StringComparer.Ordinal)
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

    /// <returns>What was set, and what could not be.</returns>
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
            _ => "it is too long for what the server's ZFS keeps of a backup",
            StringComparer.Ordinal
        );
        foreach (
            var (name, value) in (manifest.Properties ?? new Dictionary<string, string>()).OrderBy(
                property => property.Key,
                StringComparer.Ordinal
            )
        )
        {
            if (Left.Contains(name))
                skipped[name] = "a restore leaves it as it is";
            else if (!IsName(name))
                skipped[name] = "no property is called so";
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

    /// <returns>Why it is not set; null where it is.</returns>
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

/// <summary>What became of a dataset's properties.</summary>
internal sealed record RestoredProperties
{
    public required string Dataset { get; init; }

    public required IReadOnlyList<string> Set { get; init; }

    /// <summary>Reasons by name.</summary>
    public required IReadOnlyDictionary<string, string> Skipped { get; init; }

    /// <summary>Why nobody knows which it had; left out where that is known.</summary>
    public string? Fault { get; init; }
}
