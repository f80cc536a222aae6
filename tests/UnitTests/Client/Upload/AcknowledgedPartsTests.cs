using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.Client.Upload;

public sealed class AcknowledgedPartsTests
{
    [Fact]
    public void Only_parts_without_a_gap_before_them_count()
    {
        var parts = new AcknowledgedParts(0, 0);
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
        Assert.True(new AcknowledgedParts(3, 1000) is { Any: true, StreamBytes: 1000 });

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
