namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>A part of an open upload that is checked and in the store.</summary>
internal sealed record PartRecord
{
    /// <summary>From 1.</summary>
    public required int Number { get; init; }

    /// <summary>Stored bytes of the parts before it, as its client said.</summary>
    public required long StoredOffset { get; init; }

    /// <summary>In bytes.</summary>
    public required int Size { get; init; }

    /// <summary>Lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>What the store said of it.</summary>
    public required string Receipt { get; init; }

    /// <summary>
    /// Where the stream stood before it: a <see cref="Core.Transfer.StreamState"/> without its BEGIN.
    /// </summary>
    public required string StartState { get; init; }

    /// <summary>Where the stream stands after it.</summary>
    public required string EndState { get; init; }

    /// <summary>The stream's checksum before its END record; null where the part does not hold that.</summary>
    public required string? EndChecksum { get; init; }

    public long StoredEnd => StoredOffset + Size;
}
