using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Which stored properties are set on a restored dataset, and in which it differs from its source. A pure
/// function, without I/O.
/// </summary>
/// <param name="Set">Names and values to set, by name.</param>
/// <param name="Skipped">Why others are not set, by name.</param>
internal sealed record PropertyPlan(
    IReadOnlyList<KeyValuePair<string, string>> Set,
    IReadOnlyDictionary<string, string> Skipped
)
{
    private const string NeverChanged = "a restore does not change it";

    /// <summary>
    /// How the properties begin by which these programs know their own datasets, snapshots and restores. A client never
    /// stores one; a backup that has one was made by somebody else, and must not steer a restore.
    /// </summary>
    private const string OwnProperties = "zfs-snapshot-manager:";

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
        "keyformat",
        "pbkdf2iters",
    };

    /// <summary>
    /// What older backups hold although nobody had set it, or what may be a secret of the source: not worth a word.
    /// </summary>
    private static readonly HashSet<string> Ignored = new(StringComparer.Ordinal)
    {
        "filesystem_count",
        "snapshot_count",
        "keylocation",
    };

    /// <summary>Names of one meaning; on the left those of ZFS before 2.0.</summary>
    private static readonly Dictionary<string, string> Synonyms = new(StringComparer.Ordinal)
    {
        ["acltype=posixacl"] = "posix",
        ["acltype=noacl"] = "off",
    };

    /// <summary>
    /// Plans to set what was set on the source, and what it had inherited and the restored dataset has not. What nobody
    /// set is not set: defaults differ between versions of ZFS, and a pool may have its own.
    /// </summary>
    /// <param name="manifest">The source's properties.</param>
    /// <param name="here">How the restored dataset behaves.</param>
    public static PropertyPlan Make(Manifest manifest, IReadOnlyDictionary<string, DatasetProperty> here)
    {
        var set = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var skipped = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in manifest.PropertiesLeftOut ?? [])
            skipped[name] = "it is too long to be stored with a backup in the server's ZFS";
        foreach (var (name, value) in OwnOf(manifest))
        {
            if (name.StartsWith(OwnProperties, StringComparison.OrdinalIgnoreCase))
                skipped[name] = "it is a mark of these programs";
            else if (Excluded.Contains(name))
                skipped[name] = $"{NeverChanged}; it was {value}";
            else if (IsFixed(name))
                skipped[name] = NeverChanged;
            else if (!IsName(name))
                skipped[name] = "it is not a property name";
            else
                set[name] = value;
        }

        foreach (var (name, property) in BehaviourOf(manifest))
        {
            if (property.Source == "inherited" && !IsFixed(name) && Differs(name, property.Value, here))
                set[name] = property.Value;
        }

        return new PropertyPlan([.. set], skipped);
    }

    /// <summary>
    /// The properties in which the restored dataset differs: all that have a meaning, and of those that concern speed
    /// and space the ones that somebody had set on the source.
    /// </summary>
    /// <param name="manifest">The source's properties.</param>
    /// <param name="here">How the restored dataset behaves.</param>
    public static IReadOnlyList<PropertyDifference> FindDifferences(
        Manifest manifest,
        IReadOnlyDictionary<string, DatasetProperty> here
    ) =>
        [
            .. BehaviourOf(manifest)
                .Where(property => Matters(property.Key, property.Value.Source))
                .Where(property => Differs(property.Key, property.Value.Value, here))
                .OrderBy(property => property.Key, StringComparer.Ordinal)
                .Select(property => new PropertyDifference
                {
                    Property = property.Key,
                    SourceValue = property.Value.Value,
                    RestoredValue = here[property.Key].Value,
                    Decides = BehaviourProperty.All[property.Key].Effect,
                }),
        ];

    private static IEnumerable<KeyValuePair<string, string>> OwnOf(Manifest manifest) =>
        (manifest.Properties ?? new Dictionary<string, string>()).Where(property => !Ignored.Contains(property.Key));

    /// <summary>Backups of earlier versions tell only what was set on the dataset itself.</summary>
    private static IEnumerable<KeyValuePair<string, EffectiveProperty>> BehaviourOf(Manifest manifest) =>
        (
            manifest.EffectiveProperties
            ?? OwnOf(manifest)
                .ToDictionary(
                    property => property.Key,
                    property => new EffectiveProperty { Value = property.Value, Source = "local" },
                    StringComparer.Ordinal
                )
        ).Where(property => BehaviourProperty.All.ContainsKey(property.Key));

    private static bool Matters(string name, string source) =>
        BehaviourProperty.All[name].Kind != BehaviourKind.Tuning || source is "local" or "received" or "inherited";

    private static bool IsFixed(string name) =>
        BehaviourProperty.All.TryGetValue(name, out var property) && property.Kind == BehaviourKind.Fixed;

    private static bool Differs(string name, string value, IReadOnlyDictionary<string, DatasetProperty> here) =>
        here.TryGetValue(name, out var found) && Normal(name, found.Value) != Normal(name, value);

    private static string Normal(string name, string value) => Synonyms.GetValueOrDefault($"{name}={value}", value);

    private static bool IsName(string name) =>
        name.Length > 0
        && char.IsAsciiLetterOrDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is ':' or '-' or '.' or '_' or '@' or '+');
}
