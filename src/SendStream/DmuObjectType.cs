namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// The type of an object, and of its bonus buffer: 32 bits in a record. The list is closed. Types of later features are
/// numbers without a name here: 0x80, plus 0x40 for metadata, plus 0x20 for what is encrypted, plus the way to swap
/// bytes in the low five bits. Source: OpenZFS include/sys/dmu.h, dmu_object_type_t, DMU_OT_IS_VALID.
/// </summary>
public enum DmuObjectType : uint
{
    /// <summary>None: of a bonus type, the object has no bonus buffer (DMU_OT_NONE).</summary>
    None = 0,

    /// <summary>The pool's directory of objects (DMU_OT_OBJECT_DIRECTORY).</summary>
    ObjectDirectory = 1,

    /// <summary>An array of object numbers (DMU_OT_OBJECT_ARRAY).</summary>
    ObjectArray = 2,

    /// <summary>A packed nvlist (DMU_OT_PACKED_NVLIST).</summary>
    PackedNvList = 3,

    /// <summary>The size of a packed nvlist (DMU_OT_PACKED_NVLIST_SIZE).</summary>
    PackedNvListSize = 4,

    /// <summary>A list of block pointers (DMU_OT_BPOBJ).</summary>
    BlockPointerObject = 5,

    /// <summary>The header of a list of block pointers (DMU_OT_BPOBJ_HDR).</summary>
    BlockPointerObjectHeader = 6,

    /// <summary>The header of a space map (DMU_OT_SPACE_MAP_HEADER).</summary>
    SpaceMapHeader = 7,

    /// <summary>A space map (DMU_OT_SPACE_MAP).</summary>
    SpaceMap = 8,

    /// <summary>The intent log (DMU_OT_INTENT_LOG).</summary>
    IntentLog = 9,

    /// <summary>Dnodes: the objects themselves (DMU_OT_DNODE).</summary>
    Dnode = 10,

    /// <summary>An object set (DMU_OT_OBJSET).</summary>
    ObjectSet = 11,

    /// <summary>A DSL directory (DMU_OT_DSL_DIR).</summary>
    DslDirectory = 12,

    /// <summary>The children of a DSL directory (DMU_OT_DSL_DIR_CHILD_MAP).</summary>
    DslDirectoryChildren = 13,

    /// <summary>The snapshots of a DSL dataset (DMU_OT_DSL_DS_SNAP_MAP).</summary>
    DslDatasetSnapshots = 14,

    /// <summary>Properties of a DSL directory or dataset (DMU_OT_DSL_PROPS).</summary>
    DslProperties = 15,

    /// <summary>A DSL dataset (DMU_OT_DSL_DATASET).</summary>
    DslDataset = 16,

    /// <summary>A znode: attributes of a file before system attributes existed (DMU_OT_ZNODE).</summary>
    Znode = 17,

    /// <summary>An access control list of the first format (DMU_OT_OLDACL).</summary>
    OldAcl = 18,

    /// <summary>The contents of a file (DMU_OT_PLAIN_FILE_CONTENTS).</summary>
    PlainFileContents = 19,

    /// <summary>The entries of a directory (DMU_OT_DIRECTORY_CONTENTS).</summary>
    DirectoryContents = 20,

    /// <summary>The master node of a file system (DMU_OT_MASTER_NODE).</summary>
    MasterNode = 21,

    /// <summary>Files that are open but deleted (DMU_OT_UNLINKED_SET).</summary>
    UnlinkedSet = 22,

    /// <summary>The data of a volume (DMU_OT_ZVOL).</summary>
    Volume = 23,

    /// <summary>Properties of a volume (DMU_OT_ZVOL_PROP).</summary>
    VolumeProperties = 24,

    /// <summary>Bytes, for tests of ZFS (DMU_OT_PLAIN_OTHER).</summary>
    PlainOther = 25,

    /// <summary>64-bit numbers, for tests of ZFS (DMU_OT_UINT64_OTHER).</summary>
    UInt64Other = 26,

    /// <summary>A ZAP, for tests of ZFS (DMU_OT_ZAP_OTHER).</summary>
    ZapOther = 27,

    /// <summary>The log of damaged blocks (DMU_OT_ERROR_LOG).</summary>
    ErrorLog = 28,

    /// <summary>The history of a pool (DMU_OT_SPA_HISTORY).</summary>
    PoolHistory = 29,

    /// <summary>Offsets in the history of a pool (DMU_OT_SPA_HISTORY_OFFSETS).</summary>
    PoolHistoryOffsets = 30,

    /// <summary>Properties of a pool (DMU_OT_POOL_PROPS).</summary>
    PoolProperties = 31,

    /// <summary>Delegated permissions (DMU_OT_DSL_PERMS).</summary>
    DslPermissions = 32,

    /// <summary>An access control list (DMU_OT_ACL).</summary>
    Acl = 33,

    /// <summary>An access control list of the system (DMU_OT_SYSACL).</summary>
    SystemAcl = 34,

    /// <summary>The table of FUID domains (DMU_OT_FUID).</summary>
    Fuid = 35,

    /// <summary>The size of the table of FUID domains (DMU_OT_FUID_SIZE).</summary>
    FuidSize = 36,

    /// <summary>Clones of a snapshot (DMU_OT_NEXT_CLONES).</summary>
    NextClones = 37,

    /// <summary>The queue of a scan (DMU_OT_SCAN_QUEUE).</summary>
    ScanQueue = 38,

    /// <summary>Space used by users and groups (DMU_OT_USERGROUP_USED).</summary>
    UserGroupUsed = 39,

    /// <summary>Quotas of users and groups (DMU_OT_USERGROUP_QUOTA).</summary>
    UserGroupQuota = 40,

    /// <summary>Holds (DMU_OT_USERREFS).</summary>
    UserReferences = 41,

    /// <summary>A deduplication table (DMU_OT_DDT_ZAP).</summary>
    DedupTable = 42,

    /// <summary>Statistics of deduplication (DMU_OT_DDT_STATS).</summary>
    DedupStatistics = 43,

    /// <summary>System attributes: the attributes of files and directories (DMU_OT_SA).</summary>
    SystemAttributes = 44,

    /// <summary>The master node of system attributes (DMU_OT_SA_MASTER_NODE).</summary>
    SystemAttributesMaster = 45,

    /// <summary>The registry of system attributes (DMU_OT_SA_ATTR_REGISTRATION).</summary>
    SystemAttributesRegistry = 46,

    /// <summary>The layouts of system attributes (DMU_OT_SA_ATTR_LAYOUTS).</summary>
    SystemAttributesLayouts = 47,

    /// <summary>A translation table of scans (DMU_OT_SCAN_XLATE).</summary>
    ScanTranslation = 48,

    /// <summary>A block pointer that deduplication makes up (DMU_OT_DEDUP).</summary>
    Dedup = 49,

    /// <summary>A list of deleted blocks (DMU_OT_DEADLIST).</summary>
    Deadlist = 50,

    /// <summary>The header of a list of deleted blocks (DMU_OT_DEADLIST_HDR).</summary>
    DeadlistHeader = 51,

    /// <summary>Clones of a DSL directory (DMU_OT_DSL_CLONES).</summary>
    DslClones = 52,

    /// <summary>A list of block pointers inside another one (DMU_OT_BPOBJ_SUBOBJ).</summary>
    BlockPointerSubobject = 53,
}
