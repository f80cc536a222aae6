using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary>What has properties: a dataset, or a snapshot or bookmark of it.</summary>
internal sealed record Entry(PoolState Pool, Dataset Dataset, Snapshot? Snapshot = null, Bookmark? Bookmark = null)
{
    private const string None = "-";

    /// <summary>Native properties that can be set, and what they are unless they are.</summary>
    private static readonly Dictionary<string, string> Defaults = new(StringComparer.Ordinal)
    {
        ["acltype"] = "off",
        ["atime"] = "on",
        ["canmount"] = "on",
        ["compression"] = "on",
        ["devices"] = "on",
        ["exec"] = "on",
        ["keylocation"] = "none",
        ["mountpoint"] = "",
        ["quota"] = "none",
        ["readonly"] = "off",
        ["recordsize"] = "128K",
        ["refquota"] = "none",
        ["setuid"] = "on",
        ["sharenfs"] = "off",
        ["sharesmb"] = "off",
        ["volmode"] = "default",
    };

    /// <summary>Those of them that datasets below do not inherit.</summary>
    private static readonly HashSet<string> OwnOnly = new(StringComparer.Ordinal)
    {
        "canmount",
        "keylocation",
        "quota",
        "refquota",
    };

    /// <summary>Those of them that volumes do not have.</summary>
    private static readonly HashSet<string> OfFileSystems = new(StringComparer.Ordinal)
    {
        "canmount",
        "devices",
        "exec",
        "mountpoint",
        "setuid",
        "sharenfs",
        "sharesmb",
    };

    private static readonly HashSet<string> ReadOnly = new(StringComparer.Ordinal)
    {
        "clones",
        "createtxg",
        "creation",
        "encryption",
        "encryptionroot",
        "guid",
        "inconsistent",
        "keystatus",
        "mounted",
        "name",
        "origin",
        "receive_resume_token",
        "redact_snaps",
        "type",
        "used",
        "usedbysnapshots",
        "userrefs",
        "written",
    };

    public string Name =>
        Snapshot is not null ? $"{Dataset.Name}@{Snapshot.Leaf}"
        : Bookmark is not null ? $"{Dataset.Name}#{Bookmark.Leaf}"
        : Dataset.Name;

    public string Type =>
        Snapshot is not null ? "snapshot"
        : Bookmark is not null ? "bookmark"
        : Dataset.Type;

    private ulong Guid => Snapshot?.Guid ?? Bookmark?.Guid ?? Dataset.Guid;

    private ulong CreateTxg => Snapshot?.CreateTxg ?? Bookmark?.CreateTxg ?? Dataset.CreateTxg;

    private long Creation => Snapshot?.Creation ?? Bookmark?.Creation ?? Dataset.Creation;

    private bool IsDataset => Snapshot is null && Bookmark is null;

    /// <summary>What was set on it itself; null for what cannot be given properties.</summary>
    public SortedDictionary<string, string>? Own =>
        Bookmark is not null ? null
        : Snapshot is not null ? Snapshot.Properties
        : Dataset.Properties;

    public static bool IsProperty(string name) =>
        IsUserProperty(name) || ReadOnly.Contains(name) || Defaults.ContainsKey(name);

    public static bool CanBeSet(string name) => IsUserProperty(name) || Defaults.ContainsKey(name);

    /// <summary>The properties that can be set and have a value here, wherever it comes from.</summary>
    public IEnumerable<string> Settable()
    {
        var set = new HashSet<string>(IsDataset ? Defaults.Keys : [], StringComparer.Ordinal);
        set.UnionWith(Own?.Keys ?? Enumerable.Empty<string>());
        for (var at = Dataset; at is not null; at = at.Parent is { } parent ? Pool.Find(parent) : null)
            set.UnionWith(at.Properties.Keys.Where(IsUserProperty));
        return set.Where(name => Get(name).Value != None);
    }

    /// <summary>What has a name.</summary>
    public static Entry? Find(PoolState pool, string name)
    {
        var end = name.AsSpan().IndexOfAny('@', '#');
        if (pool.Find(end < 0 ? name : name[..end]) is not { } dataset)
            return null;
        var entry = new Entry(pool, dataset);
        if (end < 0)
            return entry;
        var leaf = name[(end + 1)..];
        entry =
            name[end] == '@'
                ? entry with
                {
                    Snapshot = dataset.FindSnapshot(leaf),
                }
                : entry with
                {
                    Bookmark = dataset.FindBookmark(leaf),
                };
        return entry.IsDataset ? null : entry;
    }

    /// <summary>A dataset's snapshots and bookmarks, in the order in which ZFS lists them.</summary>
    public IEnumerable<Entry> Children() =>
        Dataset
            .Snapshots.OrderBy(snapshot => snapshot.CreateTxg)
            .ThenBy(snapshot => snapshot.Leaf, StringComparer.Ordinal)
            .Select(snapshot => new Entry(Pool, Dataset, snapshot))
            .Concat(
                Dataset
                    .Bookmarks.OrderBy(bookmark => bookmark.Leaf, StringComparer.Ordinal)
                    .Select(bookmark => new Entry(Pool, Dataset, Bookmark: bookmark))
            );

    /// <summary>The bookmark of a snapshot, or a copy of a bookmark.</summary>
    public Bookmark ToBookmark(string leaf) =>
        new()
        {
            Leaf = leaf,
            Guid = Guid,
            CreateTxg = CreateTxg,
            Creation = Creation,
            Contents = Snapshot?.Contents ?? Bookmark!.Contents,
        };

    public (string Value, string Source) Get(string property)
    {
        if (IsUserProperty(property))
            return Bookmark is not null ? (None, None) : GetInherited(property) ?? (None, None);
        if (!Defaults.TryGetValue(property, out var usual))
        {
            var isDefault = property == "encryption" && IsDataset && !Dataset.IsEncrypted;
            return (GetNative(property), isDefault ? "default" : None);
        }

        if (!IsDataset || (Dataset.IsVolume && OfFileSystems.Contains(property)))
            return (None, None);
        if (!OwnOnly.Contains(property) && GetInherited(property) is { } found)
            return found;
        if (Dataset.Properties.TryGetValue(property, out var own))
            return (own, "local");
        return (property == "mountpoint" ? $"/{Dataset.Name}" : usual, "default");
    }

    private string GetNative(string property) =>
        property switch
        {
            "name" => Name,
            "type" => Type,
            "guid" => $"{Guid}",
            "createtxg" => $"{CreateTxg}",
            "creation" => $"{Creation}",
            "used" when IsDataset => $"{Space.UsedBy(Pool, Name)}",
            "usedbysnapshots" when IsDataset => "0", // what only snapshots have is not counted here
            "userrefs" => Snapshot is null ? None : $"{Snapshot.Holds.Count}",
            "clones" => Snapshot is null ? None : ListClones(),
            "inconsistent" => Bookmark is null ? $"{(IsDataset && Dataset.IsInconsistent ? 1 : 0)}" : None,
            "keystatus" when Bookmark is null && Dataset.IsEncrypted => "available",
            "encryption" when Bookmark is null => Dataset.IsEncrypted ? "aes-256-gcm" : "off",
            "mounted" when IsDataset && !Dataset.IsVolume => Dataset.IsMounted ? "yes" : "no",
            "written" when Snapshot is not null => $"{Space.WrittenOf(Dataset, Snapshot)}",
            "origin" when IsDataset => Dataset.Origin ?? None,
            "receive_resume_token" when IsDataset => Dataset.Partial?.Token ?? None,
            _ => None,
        };

    private string ListClones() =>
        string.Join(',', Pool.ClonesOf(Dataset, Snapshot!)) is { Length: > 0 } clones ? clones : None;

    private (string Value, string Source)? GetInherited(string property)
    {
        if (Snapshot is not null && Snapshot.Properties.TryGetValue(property, out var own))
            return (own, Snapshot.Received.Contains(property) ? "received" : "local");
        for (var at = Dataset; at is not null; at = at.Parent is { } parent ? Pool.Find(parent) : null)
        {
            if (at.Properties.TryGetValue(property, out var value))
                return (value, IsDataset && at == Dataset ? "local" : $"inherited from {at.Name}");
        }

        return null;
    }

    private static bool IsUserProperty(string name) => name.Contains(':', StringComparison.Ordinal);
}
