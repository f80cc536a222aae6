using Amazon.S3.Model;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>A server touches only what is its own in a bucket that others use too.</summary>
[Collection("s3")]
public sealed class S3OwnershipTests(Radosgw s3)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Unfinished_uploads_of_other_programs_survive_the_start_and_its_own_do_not()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        lab.Proxy.BytesPerSecond = 5_000_000;
        var sending = lab.UploadAsync("tank/cut", 200);
        await Patience.UntilAsync("a part is on its way", () => lab.Proxy.Count(S3Kind.UploadPart) > 0);
        await lab.Server.KillAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => sending);
        lab.Proxy.BytesPerSecond = 0;
        string[] foreign = ["velero/backup.tar", "client1/tank_data_2020-01-01_00:00:00.zfs.gz"];
        foreach (var key in foreign)
            await s3.Client.InitiateMultipartUploadAsync(lab.Bucket, key, Token);

        await lab.Server.StartAgainAsync();

        var open = await s3.Client.ListMultipartUploadsAsync(
            new ListMultipartUploadsRequest { BucketName = lab.Bucket },
            Token
        );
        Assert.Equal(
            foreign.Order(StringComparer.Ordinal),
            open.MultipartUploads.Select(upload => upload.Key).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task A_rebuilt_catalogue_knows_which_unfinished_uploads_are_its_own()
    {
        await using var lab = await S3Lab.StartAsync(s3);
        (await lab.UploadAsync("tank/data", 1)).MustSucceed();
        lab.Proxy.BytesPerSecond = 5_000_000;
        var sending = lab.UploadAsync("tank/cut", 200);
        await Patience.UntilAsync("a part is on its way", () => lab.Proxy.Count(S3Kind.UploadPart) > 0);
        await lab.Server.KillAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => sending);
        lab.Proxy.BytesPerSecond = 0;
        (await lab.Server.RunAsync("catalogue", "rebuild")).MustSucceed();

        await lab.Server.StartAgainAsync();

        Assert.Equal(0, await s3.CountUnfinishedAsync(lab.Bucket));
    }

    [Theory]
    [InlineData("", "inner")]
    [InlineData("", "some/inner")]
    [InlineData("outer", "outer/some/inner")]
    public async Task Prefixes_within_each_other_are_refused(string outer, string inner)
    {
        foreach (var (first, second) in ((string, string)[])[(outer, inner), (inner, outer)])
        {
            var bucket = await s3.NewBucketAsync();
            await using var lab = await S3Lab.StartAsync(s3, Prefix(first), bucket: bucket);
            (await lab.UploadAsync("tank/data", 1)).MustSucceed();
            var before = await s3.ListAsync(bucket);

            var e = await Assert.ThrowsAsync<InvalidOperationException>(() =>
                S3Lab.StartAsync(s3, Prefix(second), bucket: bucket)
            );

            Assert.Contains("ended with exit code 9", e.Message, StringComparison.Ordinal);
            Assert.Contains("must not lie within each other", e.Message, StringComparison.Ordinal);
            Assert.Contains("S3_PREFIX", e.Message, StringComparison.Ordinal);
            Assert.Equal(before, await s3.ListAsync(bucket));
        }
    }

    /// <summary>Versions before 0.2 allowed it, and the backups of both are there.</summary>
    [Fact]
    public async Task Prefixes_that_lie_within_each_other_since_an_earlier_version_are_named_and_do_no_harm()
    {
        var bucket = await s3.NewBucketAsync();
        await using var outer = await S3Lab.StartAsync(s3, Prefix(""), bucket: bucket);
        (await outer.UploadAsync("tank/data", 1)).MustSucceed();
        Assert.Equal(0, await outer.Server.StopAsync());
        await s3.Client.CopyObjectAsync(bucket, "zfs-server.json", bucket, "aside", Token);
        await s3.Client.DeleteObjectAsync(bucket, "zfs-server.json", Token);
        await using var inner = await S3Lab.StartAsync(s3, Prefix("inner"), bucket: bucket);
        await s3.Client.CopyObjectAsync(bucket, "aside", bucket, "zfs-server.json", Token);
        inner.Proxy.BytesPerSecond = 5_000_000;
        var sending = inner.UploadAsync("tank/data");
        await Patience.UntilAsync("a part is on its way", () => inner.Proxy.Count(S3Kind.UploadPart) > 0);

        await outer.Server.StartAgainAsync();

        (await sending).MustSucceed();
        inner.Proxy.BytesPerSecond = 0;
        Assert.Equal(0, await inner.Server.StopAsync());
        await inner.Server.StartAgainAsync();
        await inner.Server.MustLogAsync("another server's store");
        await outer.AssertVerifiesAsync();
        await inner.AssertVerifiesAsync();
    }

    private static Dictionary<string, string> Prefix(string name) =>
        new(StringComparer.Ordinal) { ["S3_PREFIX"] = name };
}
