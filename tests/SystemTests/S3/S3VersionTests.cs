using Amazon.S3;
using Amazon.S3.Model;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>In a bucket that keeps versions, what is deleted is gone, and not only hidden.</summary>
[Collection("s3")]
public sealed class S3VersionTests(Radosgw s3)
{
    private const string Key = "web1/tank_data_2026-11-24_04:59:49.zfs";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_deleted_object_leaves_no_version()
    {
        var bucket = await NewBucketAsync();
        await using var open = await OpenBucket.OpenAsync(s3, bucket: bucket);
        await open.Store.PutNewAsync(Key, new byte[10], "upload-1", ObjectKind.Stream, Token);
        // An attempt whose answer was lost, on a provider without conditional writes.
        await s3.Client.PutObjectAsync(
            new PutObjectRequest
            {
                BucketName = bucket,
                Key = $"some/place/{Key}",
                ContentBody = "again",
                UseChunkEncoding = false,
            },
            Token
        );
        await open.Store.PutNewAsync(Key + ".0002", new byte[10], "upload-1", ObjectKind.Stream, Token);

        await open.Store.DeleteAsync(Key, Token);

        Assert.Null(await open.Store.FindAsync(Key, Token));
        Assert.Equal([$"some/place/{Key}.0002"], await VersionsAsync(bucket));
    }

    [Fact]
    public async Task Starts_of_the_server_leave_one_version_of_its_mark_and_none_of_the_probe()
    {
        var bucket = await NewBucketAsync();
        await using var lab = await S3Lab.StartAsync(s3, bucket: bucket);
        Assert.Equal(0, await lab.Server.StopAsync());
        await lab.Server.StartAgainAsync();

        Assert.Equal(["zfs-server.json"], await VersionsAsync(bucket));
        var probed = (await lab.Server.RunAsync("storage", "probe", "--json")).MustSucceed().Output;
        Assert.Contains("delete versions", probed, StringComparison.Ordinal);
    }

    private async Task<string> NewBucketAsync()
    {
        var bucket = await s3.NewBucketAsync();
        await s3.Client.PutBucketVersioningAsync(
            new PutBucketVersioningRequest
            {
                BucketName = bucket,
                VersioningConfig = new S3BucketVersioningConfig { Status = VersionStatus.Enabled },
            },
            Token
        );
        return bucket;
    }

    private async Task<IEnumerable<string>> VersionsAsync(string bucket) =>
        ((await s3.Client.ListVersionsAsync(bucket, Token)).Versions ?? []).Select(version => version.Key);
}
