namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What a pool's features allow (zpool-features(7)).</summary>
public static class ZpoolFeature
{
    /// <returns>Null if <c>zpool</c> does not say.</returns>
    public static async Task<bool?> HasBookmarksAsync(ZfsHost zfs, string pool, CancellationToken cancellationToken)
    {
        try
        {
            var value = await zfs.RunOtherAsync(
                "zpool",
                ["get", "-H", "-o", "value", "feature@bookmarks", pool],
                cancellationToken
            );
            return value.Trim() is "enabled" or "active";
        }
        catch (OperationException)
        {
            return null; // no zpool, or not for this user: only a hint is lost
        }
    }
}
