namespace ZfsSnapshotManager.SendStream;

/// <summary>What is wrong with a stream.</summary>
public enum SendStreamError
{
    /// <summary>The input does not begin with a BEGIN record.</summary>
    NotASendStream,

    /// <summary>
    /// A stream written on a big-endian machine. ZFS receives those; this library does not read them.
    /// </summary>
    BigEndian,

    /// <summary>A record, its checksum intact, of a type that is not known.</summary>
    UnknownRecordType,

    /// <summary>A field outside the range that the format allows, or that <c>zfs receive</c> would refuse.</summary>
    BadRecord,

    /// <summary>The bytes are not those that were sent.</summary>
    ChecksumMismatch,

    /// <summary>
    /// A record that belongs to another snapshot than its BEGIN. So it is with what <c>zfs send --saved</c> sends of an
    /// interrupted receive, whose records carry the GUID of the receiving dataset (module/zfs/dmu_send.c, dsc_toguid);
    /// it has no END either.
    /// </summary>
    GuidMismatch,

    /// <summary>A record where none of its type may stand.</summary>
    UnexpectedRecord,

    /// <summary>The input ended before the last END record.</summary>
    EndsEarly,

    /// <summary>The input goes on after the last END record.</summary>
    DataAfterEnd,

    /// <summary>
    /// As it was sent, but in a way in which <c>zfs receive</c> loses a part of the snapshot without saying so: no
    /// backup.
    /// </summary>
    LostOnReceive,

    /// <summary>A stream that uses features this library does not know, so that it cannot judge its records.</summary>
    Unsupported,
}
