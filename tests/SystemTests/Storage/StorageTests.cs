using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Storage;

public sealed class DirectoryStorageTests : StorageContract
{
    private protected override Task<StorageLab> StartAsync() => StorageLab.InFolderAsync();
}

[Collection("s3")]
public sealed class BucketStorageTests(Radosgw s3) : StorageContract
{
    private protected override Task<StorageLab> StartAsync() => StorageLab.InBucketAsync(s3);
}

[Collection("zfs-2")]
public sealed class ZfsStorageTests(SecondZfsHost host) : StorageContract
{
    private protected override Task<StorageLab> StartAsync() => StorageLab.InZfsAsync(host);
}
