namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>A verified and stored part of an open upload.</summary>
internal sealed record PartRecord
{
    /// <summary>From 1.</summary>
    public required int Number { get; init; }

    /// <summary>Stored bytes of the parts before it, as its client announced.</summary>
    public required long StoredOffset { get; init; }

    /// <summary>In bytes.</summary>
    public required int Size { get; init; }

    /// <summary>Lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>What the store returned for it.</summary>
    public required string Receipt { get; init; }

    /// <summary>
    /// State of the stream before it: as <see cref="SendStream.ParserState.FormatWithoutBegin"/> writes it.
    /// </summary>
    public required string StartState { get; init; }

    /// <summary>State of the stream after it.</summary>
    public required string EndState { get; init; }

    /// <summary>The stream's checksum before its END record; null if the part does not contain it.</summary>
    public required string? EndChecksum { get; init; }

    public long StoredEnd => StoredOffset + Size;
}
