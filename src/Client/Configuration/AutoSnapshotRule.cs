namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>Whether datasets with <c>com.sun:auto-snapshot=false</c> are left out (RESPECT_AUTO_SNAPSHOT).</summary>
internal enum AutoSnapshotRule
{
    /// <summary>Those on which a replication set it: a snapshot may be in the way of its next receive.</summary>
    Received,

    /// <summary>All, also those that inherit it.</summary>
    Always,

    Never,
}
