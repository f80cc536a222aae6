namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>For <c>zfs create</c>: a dataset whose key is derived from a passphrase.</summary>
internal static class Passphrase
{
    /// <summary>
    /// With the fewest iterations that OpenZFS allows. Its default of 350,000 costs an emulated processor seconds for
    /// each <c>zfs create</c> and <c>zfs load-key</c>.
    /// </summary>
    public const string Options = "-o encryption=on -o keyformat=passphrase -o pbkdf2iters=100000";
}
