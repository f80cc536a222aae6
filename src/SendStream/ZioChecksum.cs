namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// A checksum of blocks on disk: 8 bits in a record. Numbers of later ZFS versions have no name here and are kept as
/// they are. Source: OpenZFS include/sys/zio.h, enum zio_checksum.
/// </summary>
public enum ZioChecksum : byte
{
    /// <summary>Inherited from the parent (ZIO_CHECKSUM_INHERIT).</summary>
    Inherit = 0,

    /// <summary>The default of the pool (ZIO_CHECKSUM_ON).</summary>
    On = 1,

    /// <summary>None (ZIO_CHECKSUM_OFF).</summary>
    Off = 2,

    /// <summary>SHA-256 of a label (ZIO_CHECKSUM_LABEL).</summary>
    Label = 3,

    /// <summary>SHA-256 of a gang block header (ZIO_CHECKSUM_GANG_HEADER).</summary>
    GangHeader = 4,

    /// <summary>Fletcher-2 of an intent log block (ZIO_CHECKSUM_ZILOG).</summary>
    IntentLog = 5,

    /// <summary>Fletcher-2 (ZIO_CHECKSUM_FLETCHER_2).</summary>
    Fletcher2 = 6,

    /// <summary>Fletcher-4 (ZIO_CHECKSUM_FLETCHER_4).</summary>
    Fletcher4 = 7,

    /// <summary>SHA-256 (ZIO_CHECKSUM_SHA256).</summary>
    Sha256 = 8,

    /// <summary>Fletcher-4 of an intent log block (ZIO_CHECKSUM_ZILOG2).</summary>
    IntentLog2 = 9,

    /// <summary>None, and no parity (ZIO_CHECKSUM_NOPARITY).</summary>
    NoParity = 10,

    /// <summary>SHA-512/256 (ZIO_CHECKSUM_SHA512).</summary>
    Sha512 = 11,

    /// <summary>Skein (ZIO_CHECKSUM_SKEIN).</summary>
    Skein = 12,

    /// <summary>Edon-R (ZIO_CHECKSUM_EDONR).</summary>
    EdonR = 13,

    /// <summary>BLAKE3 (ZIO_CHECKSUM_BLAKE3).</summary>
    Blake3 = 14,
}
