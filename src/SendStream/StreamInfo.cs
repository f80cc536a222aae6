namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// What a whole stream is and holds, after its last END was read and everything in it was verified. Immutable and
/// thread-safe.
/// </summary>
public sealed record StreamInfo
{
    /// <summary>Whether the stream is full, incremental or a package.</summary>
    public required StreamKind Kind { get; init; }

    /// <summary>The first BEGIN of the stream; for a package, the package's own.</summary>
    public required SnapshotStreamInfo Begin { get; init; }

    /// <summary>
    /// The snapshots, in the order of the stream: one for a plain stream, any number for a package. A complete package
    /// does not prove that it holds every snapshot that was asked for: <c>zfs send</c> closes a package properly even
    /// if it had to leave some out, and reports that by its exit code only (libzfs_sendrecv.c, zfs_send).
    /// </summary>
    public required IReadOnlyList<SnapshotStreamInfo> Snapshots { get; init; }

    /// <summary>Length of the stream in bytes.</summary>
    public required long Length { get; init; }

    /// <summary>Number of records of all types.</summary>
    public required long RecordCount { get; init; }

    /// <summary>Number of records by type; types that do not occur are left out.</summary>
    public required IReadOnlyDictionary<RecordType, long> Records { get; init; }

    /// <summary>
    /// Bytes of all payloads as they are in the stream: what <c>zstream dump</c> calls the total payload size.
    /// </summary>
    public required long PayloadBytes { get; init; }

    /// <summary>
    /// Bytes of all data blocks when unpacked, up to <see cref="long.MaxValue"/>: the logical sizes of WRITE,
    /// WRITE_EMBEDDED and WRITE_BYREF records.
    /// </summary>
    public required long LogicalBytes { get; init; }

    /// <summary>
    /// The checksum of the whole stream before its END record, as that record gives it. For a package: that of its last
    /// snapshot; 0 if it has none.
    /// </summary>
    public required Fletcher4 EndChecksum { get; init; }
}
