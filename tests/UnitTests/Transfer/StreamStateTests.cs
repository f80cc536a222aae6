using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Transfer;

public sealed class StreamStateTests
{
    [Theory]
    [InlineData("full")]
    [InlineData("incremental-1")]
    [InlineData("raw")]
    [InlineData("volume")]
    [InlineData("spill")]
    public void At_every_boundary_of_a_real_stream_the_state_text_is_read_back(string name)
    {
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> input = RecordedStream.All[name + ".zfs.gz"].Bytes;
        AssertComesBack(parser.State);
        while (parser.Read(ref input, out _) is not ParserEvent.EndOfStream)
        {
            if (parser.IsAtBoundary)
                AssertComesBack(parser.State);
        }

        Assert.Equal(StreamPhase.End, parser.State.Phase);
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("1,2,3")]
    [InlineData("0,1,0,0,0,0,0,0,0,,,,,0,0,0,0")]
    [InlineData("2,0,0,0,0,0,0,0,0,,,,,0,0,0,0")]
    [InlineData("1,-5,0,0,0,0,0,0,0,,,,,0,0,0,0")]
    [InlineData("1,99999999999999999999,0,0,0,0,0,0,0,,,,,0,0,0,0")]
    [InlineData("1,5,0,0,0,0,0,0,0,,7,300,9,0,0,0,0")]
    [InlineData("1,5,0,0,0,0,0,0,0,,7,9,9,0,0,0,0")]
    [InlineData("1,5,0,0,0,0,0,0,0,,,,,0,0,0,0;1,0,0,0,0,0,61")]
    [InlineData("1,5,0,0,0,0,0,0,0,,,,,0,0,0,0;1,0,2,0,0,999999999999999,61")]
    [InlineData("1,5,0,0,0,0,0,0,0,,,,,0,0,0,0;1,0,2,0,0,0,6")]
    public void Anything_but_a_state_is_refused(string text) => Assert.False(StreamState.TryRead(text, out _));

    [Fact]
    public void The_longest_state_fits()
    {
        var begin = new SnapshotStreamInfo
        {
            SnapshotGuid = ulong.MaxValue,
            BaseGuid = ulong.MaxValue,
            FullSnapshotName = new string('n', 255),
            Type = StreamType.Volume,
            Features = (StreamFeatures)ulong.MaxValue,
            Flags = uint.MaxValue,
            CreationTime = DateTimeOffset.FromUnixTimeSeconds(DateTimeOffset.MaxValue.ToUnixTimeSeconds()),
        };
        var state = new ParserState
        {
            Phase = StreamPhase.Snapshot,
            StreamOffset = long.MaxValue,
            RecordCount = long.MaxValue,
            Checksum = new Fletcher4(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue),
            Begin = begin,
            Snapshot = begin,
            LastWriteObject = ulong.MaxValue,
            LastWriteOffset = ulong.MaxValue,
            ObjectRange = ulong.MaxValue,
            Position = new(ulong.MaxValue, ZfsSnapshotManager.SendStream.Resume.RecordStage.Spill, ulong.MaxValue),
            ResumePoint = new(ulong.MaxValue, ulong.MaxValue),
            ResumeBytes = long.MaxValue,
            IsBehindWrite = true,
            IsDisordered = true,
        };
        AssertComesBack(state);
    }

    private static void AssertComesBack(ParserState state)
    {
        Assert.True(StreamState.TryRead(StreamState.Write(state), out var read));
        Assert.Equal(state, read);
        Assert.True(StreamState.TryRead(StreamState.WriteWithoutBegin(state), out var alone));
        Assert.Equal(state with { Begin = null, Snapshot = null }, alone);
    }
}
