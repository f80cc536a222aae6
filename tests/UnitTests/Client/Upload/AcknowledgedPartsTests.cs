using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.Client.Upload;

public sealed class AcknowledgedPartsTests
{
    [Fact]
    public void Only_parts_without_a_gap_before_them_count()
    {
        var parts = new AcknowledgedParts(0, 0, 4);
        Assert.False(parts.Any);

        parts.Add(Part(2, 100, 300));
        Assert.False(parts.Any);
        parts.Add(Part(1, 0, 100));
        Assert.Equal(300, parts.StreamBytes);
        parts.Add(Part(4, 400, 500));

        Assert.True(parts.Any);
        Assert.Equal(300, parts.StreamBytes);
    }

    [Fact]
    public void What_an_earlier_run_sent_counts() =>
        Assert.True(new AcknowledgedParts(3, 1000, 4) is { Any: true, StreamBytes: 1000 });

    [Fact]
    public async Task Parts_wait_for_the_first_missing_one_before_they_run_far_ahead()
    {
        var parts = new AcknowledgedParts(0, 0, window: 3);
        await parts.WaitForTurnAsync(Part(3, 0, 1), TestContext.Current.CancellationToken);

        var fourth = parts.WaitForTurnAsync(Part(4, 0, 1), TestContext.Current.CancellationToken);
        parts.Add(Part(2, 0, 1));
        Assert.False(fourth.IsCompleted);
        parts.Add(Part(1, 0, 1));

        await fourth; // and 5, since 1 and 2 are there
        await parts.WaitForTurnAsync(Part(5, 0, 1), TestContext.Current.CancellationToken);
        using var stop = new CancellationTokenSource();
        var sixth = parts.WaitForTurnAsync(Part(6, 0, 1), stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sixth);
    }

    [Fact]
    public void A_resumed_upload_is_fruitless_until_a_part_follows_what_was_there()
    {
        var resumed = new AcknowledgedParts(3, 1000, 4) { IsResumed = true };
        resumed.Add(Part(5, 1100, 1200));
        Assert.True(resumed.IsFruitless);
        resumed.Add(Part(4, 1000, 1100));
        Assert.False(resumed.IsFruitless);
        Assert.False(new AcknowledgedParts(0, 0, 4).IsFruitless);
    }

    private static UploadPart Part(int number, long start, long end) =>
        new()
        {
            Number = number,
            Offset = 0,
            Chunks = [],
            Size = 1,
            Sha256 = [],
            Start = ParserState.Start with { StreamOffset = start },
            End = ParserState.Start with { StreamOffset = end },
        };
}
