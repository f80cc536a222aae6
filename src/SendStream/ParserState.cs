using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Everything a <see cref="SendStreamParser"/> must know to go on at a record boundary, in another process if need be.
/// A state that does not belong to the stream makes the next record fail.
/// </summary>
public sealed record ParserState
{
    /// <summary>The state before the first record.</summary>
    public static ParserState Start { get; } =
        new()
        {
            Phase = StreamPhase.Start,
            StreamOffset = 0,
            RecordCount = 0,
            Checksum = default,
        };

    /// <summary>Where the boundary lies in the stream's structure.</summary>
    public required StreamPhase Phase { get; init; }

    /// <summary>Bytes before the boundary.</summary>
    public required long StreamOffset { get; init; }

    /// <summary>Records before the boundary.</summary>
    public required long RecordCount { get; init; }

    /// <summary>The running checksum at the boundary; between a package's snapshots it is 0.</summary>
    public required Fletcher4 Checksum { get; init; }

    /// <summary>The first BEGIN of the stream, if it was read.</summary>
    public SnapshotStreamInfo? Begin { get; init; }

    /// <summary>
    /// The BEGIN of the snapshot's stream in which the boundary lies; needed in the phases that lie in one.
    /// </summary>
    public SnapshotStreamInfo? Snapshot { get; init; }

    /// <summary>Object of the last WRITE record of that snapshot's stream; 0 before the first.</summary>
    public ulong LastWriteObject { get; init; }

    /// <summary>Offset of that WRITE in its object, in bytes.</summary>
    public ulong LastWriteOffset { get; init; }

    /// <summary>
    /// First object of the last OBJECT_RANGE record of that snapshot's stream; null before the first.
    /// </summary>
    public ulong? ObjectRange { get; init; }

    /// <summary>
    /// Where the last record of that snapshot's stream stands in the order of sending; null before the first.
    /// </summary>
    public RecordPosition? Position { get; init; }

    /// <summary>
    /// From where <c>zfs send -t</c> would have to go on with that snapshot: at the last WRITE or WRITE_EMBEDDED, or at
    /// the OBJECT if none of it followed, as <c>zfs receive -s</c> notes it (module/zfs/dmu_recv.c, save_resume_state).
    /// </summary>
    public ResumePoint ResumePoint { get; init; }

    /// <summary>
    /// Bytes that <c>zfs receive -s</c> would have noted down with <see cref="ResumePoint"/>; it does not count BEGIN's
    /// header.
    /// </summary>
    public long ResumeBytes { get; init; }

    /// <summary>Whether the last record was a WRITE.</summary>
    public bool IsBehindWrite { get; init; }

    /// <summary>
    /// Whether a record of that snapshot's stream stands behind one that ZFS sends later, or has the same
    /// <see cref="Position"/>: such a stream may be received, but not be continued.
    /// </summary>
    public bool IsDisordered { get; init; }
}
