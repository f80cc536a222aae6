namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// A compression of blocks: 8 bits in a record. Numbers of later ZFS versions have no name here and are kept as they
/// are. Source: OpenZFS include/sys/zio_compress.h, enum zio_compress.
/// </summary>
public enum ZioCompression : byte
{
    /// <summary>
    /// Inherited from the parent; in WRITE and SPILL records: the payload is not compressed (ZIO_COMPRESS_INHERIT).
    /// </summary>
    Inherit = 0,

    /// <summary>The default of the pool (ZIO_COMPRESS_ON).</summary>
    On = 1,

    /// <summary>Not compressed; in raw streams the stored form of that (ZIO_COMPRESS_OFF).</summary>
    Off = 2,

    /// <summary>LZJB (ZIO_COMPRESS_LZJB).</summary>
    Lzjb = 3,

    /// <summary>A block of zeros (ZIO_COMPRESS_EMPTY).</summary>
    Empty = 4,

    /// <summary>gzip, level 1 (ZIO_COMPRESS_GZIP_1).</summary>
    Gzip1 = 5,

    /// <summary>gzip, level 2 (ZIO_COMPRESS_GZIP_2).</summary>
    Gzip2 = 6,

    /// <summary>gzip, level 3 (ZIO_COMPRESS_GZIP_3).</summary>
    Gzip3 = 7,

    /// <summary>gzip, level 4 (ZIO_COMPRESS_GZIP_4).</summary>
    Gzip4 = 8,

    /// <summary>gzip, level 5 (ZIO_COMPRESS_GZIP_5).</summary>
    Gzip5 = 9,

    /// <summary>gzip, level 6 (ZIO_COMPRESS_GZIP_6).</summary>
    Gzip6 = 10,

    /// <summary>gzip, level 7 (ZIO_COMPRESS_GZIP_7).</summary>
    Gzip7 = 11,

    /// <summary>gzip, level 8 (ZIO_COMPRESS_GZIP_8).</summary>
    Gzip8 = 12,

    /// <summary>gzip, level 9 (ZIO_COMPRESS_GZIP_9).</summary>
    Gzip9 = 13,

    /// <summary>Runs of zeros only (ZIO_COMPRESS_ZLE).</summary>
    Zle = 14,

    /// <summary>LZ4 (ZIO_COMPRESS_LZ4).</summary>
    Lz4 = 15,

    /// <summary>zstd (ZIO_COMPRESS_ZSTD).</summary>
    Zstd = 16,
}
