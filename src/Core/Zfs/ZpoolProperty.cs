namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What a pool is and what its features allow (zpoolprops(7), zpool-features(7)).</summary>
public static class ZpoolProperty
{
    /// <returns>Null if <c>zpool</c> does not say.</returns>
    public static async Task<bool?> HasBookmarksAsync(ZfsHost zfs, string pool, CancellationToken cancellationToken) =>
        await FindAsync(zfs, pool, "feature@bookmarks", cancellationToken) is { } value
            ? value is "enabled" or "active"
            : null;

    /// <returns>Null if <c>zpool</c> does not say.</returns>
    public static async Task<string?> FindAsync(
        ZfsHost zfs,
        string pool,
        string property,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var answer = await zfs.RunOtherAsync(
                "zpool",
                ["get", "-H", "-o", "value", property, pool],
                cancellationToken
            );
            return answer.Trim();
        }
        catch (OperationException)
        {
            return null; // no zpool, or not for this user: only a hint is lost
        }
    }
}
