namespace ZfsSnapshotManager.Server.Storage;

/// <summary>How a store failed.</summary>
internal enum StorageFault
{
    /// <summary>Any other failure.</summary>
    Failed,

    /// <summary>It does not answer, or cannot serve the request now. Later it may.</summary>
    Unavailable,

    /// <summary>It has no space left, or its quota is used up.</summary>
    Full,

    /// <summary>It refuses this server: its key, its permissions, the bucket. An administrator must act.</summary>
    Refused,

    /// <summary>The object does not exist, or is incomplete.</summary>
    Missing,

    /// <summary>The key is already in use.</summary>
    Exists,

    /// <summary>The object is under a retention and cannot be deleted yet.</summary>
    Locked,

    /// <summary>The bytes are not those that were stored.</summary>
    Damaged,

    /// <summary>
    /// The object exists, and its bytes cannot be read: a bad sector, a damaged file system, a missing permission.
    /// Trying again does not help, and says nothing about other objects.
    /// </summary>
    Unreadable,
}
