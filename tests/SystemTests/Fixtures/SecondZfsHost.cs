namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>Another machine with ZFS: one for all tests would be busy for as long again.</summary>
public sealed class SecondZfsHost : ZfsHost
{
    public SecondZfsHost()
        : base("test-2") { }
}

/// <summary>Tests on the second machine; they run beside those on the first.</summary>
[CollectionDefinition("zfs-2")]
public sealed class OnSecondZfsHost : ICollectionFixture<SecondZfsHost>;
