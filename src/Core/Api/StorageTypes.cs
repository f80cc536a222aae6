namespace ZfsSnapshotManager.Core.Api;

/// <summary>Where a server keeps a backup.</summary>
public static class StorageTypes
{
    /// <summary>In its object store, whatever that is: S3 or a folder.</summary>
    public const string Objects = "s3";

    /// <summary>As a snapshot of a ZFS dataset.</summary>
    public const string Local = "local";

    public static bool IsKnown(string text) => text is Objects or Local;
}
