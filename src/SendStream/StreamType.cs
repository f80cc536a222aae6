namespace ZfsSnapshotManager.SendStream;

/// <summary>What was sent: <c>drr_type</c> of BEGIN. Source: OpenZFS include/sys/fs/zfs.h, dmu_objset_type_t.</summary>
public enum StreamType
{
    /// <summary>Not said: the BEGIN of a package names no type.</summary>
    None = 0,

    /// <summary>A filesystem (DMU_OST_ZFS).</summary>
    Filesystem = 2,

    /// <summary>A volume (DMU_OST_ZVOL).</summary>
    Volume = 3,
}
