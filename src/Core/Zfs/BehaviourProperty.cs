namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What a property decides.</summary>
public enum BehaviourKind
{
    /// <summary>What programs and users of the dataset see, or what survives a crash.</summary>
    Meaning,

    /// <summary>Speed and space.</summary>
    Tuning,

    /// <summary>It was decided when the dataset was created, and comes with the stream or not at all.</summary>
    Fixed,
}

/// <summary>
/// A property that decides how the data of a dataset behave. Most are set once, at the root of a pool, and inherited
/// from there: a copy in another pool behaves differently, unless they are stored with the backup.
/// </summary>
/// <param name="Name">Its name (zfsprops(7)).</param>
/// <param name="Kind">What it decides.</param>
/// <param name="Effect">What changes if it differs; completes "it decides".</param>
public sealed record BehaviourProperty(string Name, BehaviourKind Kind, string Effect)
{
    /// <summary>All of them, by name. A version of ZFS that does not know one leaves it out.</summary>
    public static IReadOnlyDictionary<string, BehaviourProperty> All { get; } =
        new BehaviourProperty[]
        {
            new("aclinherit", BehaviourKind.Meaning, "which access control entries new files inherit"),
            new("aclmode", BehaviourKind.Meaning, "what chmod does to access control lists"),
            new("acltype", BehaviourKind.Meaning, "whether access control lists are enforced"),
            new("atime", BehaviourKind.Meaning, "whether reading a file changes its access time"),
            new("devices", BehaviourKind.Meaning, "whether device files can be opened"),
            new("exec", BehaviourKind.Meaning, "whether programs can be run"),
            new("longname", BehaviourKind.Meaning, "whether new files can have names of more than 255 bytes"),
            new("nbmand", BehaviourKind.Meaning, "whether locks are mandatory"),
            new("readonly", BehaviourKind.Meaning, "whether the dataset can be changed"),
            new("relatime", BehaviourKind.Meaning, "how often access times change"),
            new("setuid", BehaviourKind.Meaning, "whether programs run as the owner of their file"),
            new("sync", BehaviourKind.Meaning, "whether written data survive a crash"),
            new("xattr", BehaviourKind.Meaning, "whether and where extended attributes are stored"),
            new("checksum", BehaviourKind.Tuning, "how damage is noticed"),
            new("compression", BehaviourKind.Tuning, "how new data are compressed"),
            new("copies", BehaviourKind.Tuning, "how many copies of new data are stored"),
            new("dedup", BehaviourKind.Tuning, "whether equal blocks are stored once"),
            new("direct", BehaviourKind.Tuning, "whether programs can bypass the cache"),
            new("dnodesize", BehaviourKind.Tuning, "how much room new files have for extended attributes"),
            new("logbias", BehaviourKind.Tuning, "how synchronous writes are stored"),
            new("prefetch", BehaviourKind.Tuning, "what is read ahead"),
            new("primarycache", BehaviourKind.Tuning, "what is cached in memory"),
            new("recordsize", BehaviourKind.Tuning, "the block size of new files"),
            new("redundant_metadata", BehaviourKind.Tuning, "how many copies of metadata are stored"),
            new("secondarycache", BehaviourKind.Tuning, "what is cached on disk"),
            new("special_small_blocks", BehaviourKind.Tuning, "which blocks are stored on special devices"),
            new("casesensitivity", BehaviourKind.Fixed, "whether names that differ in case are the same"),
            new("encryption", BehaviourKind.Fixed, "whether ZFS encrypts the dataset"),
            new("normalization", BehaviourKind.Fixed, "which spellings of a name are the same"),
            new("utf8only", BehaviourKind.Fixed, "whether names must be UTF-8"),
            new("version", BehaviourKind.Fixed, "the format of the file system"),
            new("volblocksize", BehaviourKind.Fixed, "the block size of a volume"),
        }.ToDictionary(property => property.Name, StringComparer.Ordinal);
}
