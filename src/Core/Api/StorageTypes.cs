namespace ZfsSnapshotManager.Core.Api;

/// <summary>The kinds of storage in which a server keeps a backup.</summary>
public static class StorageTypes
{
    /// <summary>In its object store, which may be S3 or a directory.</summary>
    public const string Objects = "s3";

    /// <summary>As a snapshot of a ZFS dataset.</summary>
    public const string Local = "local";

    public static bool IsKnown(string text) => text is Objects or Local;
}
