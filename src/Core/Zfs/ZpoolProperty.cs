namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>What a pool allows (zpool-features(7), zpoolprops(7)).</summary>
public static class ZpoolProperty
{
    /// <returns>Null if <c>zpool</c> does not say.</returns>
    public static async Task<bool?> HasBookmarksAsync(ZfsHost zfs, string pool, CancellationToken cancellationToken) =>
        await FindAsync(zfs, pool, "feature@bookmarks", cancellationToken) is { } value
            ? value is "enabled" or "active"
            : null;

    /// <summary>Whether it was imported with <c>readonly=on</c>. Datasets do not show it.</summary>
    public static async Task<bool> IsReadOnlyAsync(ZfsHost zfs, string pool, CancellationToken cancellationToken) =>
        await FindAsync(zfs, pool, "readonly", cancellationToken) == "on";

    private static async Task<string?> FindAsync(
        ZfsHost zfs,
        string pool,
        string property,
        CancellationToken cancellationToken
    )
    {
        try
        {
            string[] arguments = ["get", "-H", "-o", "value", property, pool];
            return (await zfs.RunOtherAsync("zpool", arguments, cancellationToken)).Trim();
        }
        catch (OperationException)
        {
            return null; // no zpool, or not for this user: only a hint is lost
        }
    }
}
