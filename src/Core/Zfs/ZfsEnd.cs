namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>How a failed <c>zfs</c> command ended.</summary>
public enum ZfsEnd
{
    /// <summary>ZFS itself says that it cannot do it. The same command would fail again.</summary>
    Refused,

    /// <summary>It crashed (SIGSEGV, SIGABRT and the like). The same command may crash again.</summary>
    Crashed,

    /// <summary>Somebody killed it, or the system did. That says nothing about the dataset.</summary>
    Killed,

    /// <summary>The ssh connection broke or could not be made. That says nothing about the dataset.</summary>
    Disconnected,
}
