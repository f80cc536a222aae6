using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.ZfsStandIn.State;

/// <summary>A file system or volume.</summary>
internal sealed class Dataset
{
    public required string Name { get; set; }

    public required ulong Guid { get; set; }

    public ulong CreateTxg { get; set; }

    public long Creation { get; set; }

    public bool IsVolume { get; set; }

    /// <summary>Whether its blocks are encrypted on disk. Its key is always loaded.</summary>
    public bool IsEncrypted { get; set; }

    public bool IsMounted { get; set; }

    /// <summary>A receive that was not finished made it: it shows nothing yet.</summary>
    public bool IsInconsistent { get; set; }

    /// <summary>Full name of the snapshot that it is a clone of.</summary>
    public string? Origin { get; set; }

    /// <summary>What was set on it itself.</summary>
    public SortedDictionary<string, string> Properties { get; set; } = new(StringComparer.Ordinal);

    /// <summary>What is in it now.</summary>
    public Contents Head { get; set; } = new();

    public List<Snapshot> Snapshots { get; set; } = [];

    public List<Bookmark> Bookmarks { get; set; } = [];

    /// <summary>What an interrupted receive has left.</summary>
    public PartialReceive? Partial { get; set; }

    [JsonIgnore]
    public string Type => IsVolume ? "volume" : "filesystem";

    /// <summary>The name of the dataset that it is in; null for the pool.</summary>
    [JsonIgnore]
    public string? Parent => Name.LastIndexOf('/') is > 0 and var end ? Name[..end] : null;

    public Snapshot? FindSnapshot(string leaf) => Snapshots.Find(snapshot => snapshot.Leaf == leaf);

    public Bookmark? FindBookmark(string leaf) => Bookmarks.Find(bookmark => bookmark.Leaf == leaf);
}

/// <summary>A snapshot.</summary>
internal sealed class Snapshot
{
    /// <summary>The name behind the '@'.</summary>
    public required string Leaf { get; set; }

    public required ulong Guid { get; set; }

    public required ulong CreateTxg { get; set; }

    public required long Creation { get; set; }

    public SortedDictionary<string, string> Properties { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Those of its properties that came with a stream.</summary>
    public List<string> Received { get; set; } = [];

    /// <summary>When each tag was given.</summary>
    public SortedDictionary<string, long> Holds { get; set; } = new(StringComparer.Ordinal);

    public required Contents Contents { get; set; }
}

/// <summary>A bookmark.</summary>
internal sealed class Bookmark
{
    /// <summary>The name behind the '#'.</summary>
    public required string Leaf { get; set; }

    public required ulong Guid { get; set; }

    public required ulong CreateTxg { get; set; }

    public required long Creation { get; set; }

    /// <summary>
    /// What its snapshot held. Real ZFS keeps only the transaction group, by which it finds what was written since.
    /// </summary>
    public required Contents Contents { get; set; }
}

/// <summary>How far a receive came that was interrupted.</summary>
internal sealed class PartialReceive
{
    /// <summary>The <c>receive_resume_token</c>.</summary>
    public string Token { get; set; } = "";

    public required ulong SnapshotGuid { get; set; }

    /// <summary>0: a full stream.</summary>
    public required ulong BaseGuid { get; set; }

    /// <summary>Bytes of the stream that had come when the token was made.</summary>
    public ulong Bytes { get; set; }

    public Contents Contents { get; set; } = new();
}
