namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// The kind of dataset that was sent: <c>drr_type</c> of BEGIN, 32 bits. Numbers without a name are kept as they are;
/// the parser refuses them. Source: OpenZFS include/sys/fs/zfs.h, dmu_objset_type_t.
/// </summary>
public enum DatasetType : uint
{
    /// <summary>Not stated: the BEGIN of a package names no type (DMU_OST_NONE).</summary>
    None = 0,

    /// <summary>A file system (DMU_OST_ZFS).</summary>
    Filesystem = 2,

    /// <summary>A volume (DMU_OST_ZVOL).</summary>
    Volume = 3,
}
