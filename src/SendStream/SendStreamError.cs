namespace ZfsSnapshotManager.SendStream;

/// <summary>The kinds of errors in a stream.</summary>
public enum SendStreamError
{
    /// <summary>The input does not begin with a BEGIN record.</summary>
    NotASendStream,

    /// <summary>
    /// A stream written on a big-endian machine. ZFS receives those; this library does not read them.
    /// </summary>
    BigEndian,

    /// <summary>A record of an unknown type; its checksum is intact.</summary>
    UnknownRecordType,

    /// <summary>A field outside the range that the format allows, or that <c>zfs receive</c> would refuse.</summary>
    BadRecord,

    /// <summary>The bytes are not those that were sent.</summary>
    ChecksumMismatch,

    /// <summary>
    /// A record that belongs to another snapshot than its BEGIN. <c>zfs send --saved</c> sends such streams of an
    /// interrupted receive: their records carry the GUID of the receiving dataset (module/zfs/dmu_send.c, dsc_toguid),
    /// and they have no END.
    /// </summary>
    GuidMismatch,

    /// <summary>A record in a position where its type is not allowed.</summary>
    UnexpectedRecord,

    /// <summary>The input ended before the last END record.</summary>
    EndsEarly,

    /// <summary>The input continues after the last END record.</summary>
    DataAfterEnd,

    /// <summary>
    /// The stream is as it was sent, but <c>zfs receive</c> would silently lose a part of the snapshot: it is no
    /// backup.
    /// </summary>
    LostOnReceive,

    /// <summary>
    /// The stream uses features that this library does not know, so that it cannot verify its records.
    /// </summary>
    Unsupported,

    /// <summary>
    /// The stream is as it was sent, but every <c>zfs receive</c> refuses it, whatever it is received into: it is no
    /// backup.
    /// </summary>
    RefusedOnReceive,
}
