using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>
/// Of incrementals <c>zfs send -n</c> counts blocks that are not sent: those that fit must not be refused for it.
/// </summary>
public sealed class ReliableEstimateTests
{
    private const long Estimate = 80_000_000_000;

    [Theory]
    [InlineData(true, null, Estimate)]
    [InlineData(true, 7UL, null)]
    [InlineData(false, null, null)] // it may be an incremental: its kind is read from the stream
    public void Only_the_estimate_of_a_full_stream_is_reliable(bool isGiven, ulong? from, long? expected)
    {
        var upload = TestUploads.Make("one", "web1") with
        {
            KindIsGiven = isGiven,
            FromGuid = from is { } guid ? new SnapshotGuid(guid) : null,
            EstimatedSize = Estimate,
        };

        Assert.Equal(expected, upload.ReliableEstimate);
    }
}
