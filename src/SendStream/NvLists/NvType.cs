namespace ZfsSnapshotManager.SendStream.NvLists;

/// <summary>Type of a pair's value. Source: OpenZFS include/sys/nvpair.h, data_type_t.</summary>
public enum NvType
{
    /// <summary>No type; never stored.</summary>
    Unknown = 0,

    /// <summary>A name without a value: present means true.</summary>
    Boolean = 1,

    /// <summary>One byte.</summary>
    Byte = 2,

    /// <summary>A signed 16-bit number.</summary>
    Int16 = 3,

    /// <summary>An unsigned 16-bit number.</summary>
    UInt16 = 4,

    /// <summary>A signed 32-bit number.</summary>
    Int32 = 5,

    /// <summary>An unsigned 32-bit number.</summary>
    UInt32 = 6,

    /// <summary>A signed 64-bit number.</summary>
    Int64 = 7,

    /// <summary>An unsigned 64-bit number.</summary>
    UInt64 = 8,

    /// <summary>A string.</summary>
    String = 9,

    /// <summary>Bytes.</summary>
    ByteArray = 10,

    /// <summary>Signed 16-bit numbers.</summary>
    Int16Array = 11,

    /// <summary>Unsigned 16-bit numbers.</summary>
    UInt16Array = 12,

    /// <summary>Signed 32-bit numbers.</summary>
    Int32Array = 13,

    /// <summary>Unsigned 32-bit numbers.</summary>
    UInt32Array = 14,

    /// <summary>Signed 64-bit numbers.</summary>
    Int64Array = 15,

    /// <summary>Unsigned 64-bit numbers.</summary>
    UInt64Array = 16,

    /// <summary>Strings.</summary>
    StringArray = 17,

    /// <summary>A time in nanoseconds.</summary>
    HighResolutionTime = 18,

    /// <summary>A list inside this one.</summary>
    List = 19,

    /// <summary>Lists inside this one.</summary>
    ListArray = 20,

    /// <summary>A truth value.</summary>
    BooleanValue = 21,

    /// <summary>A signed 8-bit number.</summary>
    Int8 = 22,

    /// <summary>An unsigned 8-bit number.</summary>
    UInt8 = 23,

    /// <summary>Truth values.</summary>
    BooleanArray = 24,

    /// <summary>Signed 8-bit numbers.</summary>
    Int8Array = 25,

    /// <summary>Unsigned 8-bit numbers.</summary>
    UInt8Array = 26,

    /// <summary>A double; user space only.</summary>
    Double = 27,
}
