namespace ZfsSnapshotManager.Server.Storage;

/// <summary>Keys in the store that belong to the server itself and to no backup.</summary>
internal static class ReservedKeys
{
    /// <summary>The object that names the catalogue to which the store belongs.</summary>
    public const string Owner = "zfs-server.json";

    /// <summary>Below it lie the objects with which the server tests what a provider of S3 can do.</summary>
    public const string ProbePrefix = ".zfs-server-probe/";

    public static bool Contains(string key) => key == Owner || key.StartsWith(ProbePrefix, StringComparison.Ordinal);
}
