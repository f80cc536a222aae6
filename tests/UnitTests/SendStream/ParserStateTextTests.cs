using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class ParserStateTextTests
{
    [Theory]
    [InlineData("full")]
    [InlineData("incremental-1")]
    [InlineData("raw")]
    [InlineData("volume")]
    [InlineData("spill")]
    public void At_every_boundary_of_a_real_stream_the_line_brings_the_state_back(string name)
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
    public void What_is_no_state_is_refused(string text) => Assert.False(ParserState.TryParse(text, out _));

    [Fact]
    public void The_longest_state_fits()
    {
        var begin = new SnapshotStreamInfo
        {
            SnapshotGuid = ulong.MaxValue,
            BaseGuid = ulong.MaxValue,
            FullSnapshotName = new string('n', 255),
            Type = DatasetType.Volume,
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
            Position = new(ulong.MaxValue, RecordStage.Spill, ulong.MaxValue),
            ResumePoint = new(ulong.MaxValue, ulong.MaxValue),
            ResumeBytes = long.MaxValue,
            EndsWithWrite = true,
            IsOutOfOrder = true,
        };
        AssertComesBack(state);
    }

    /// <summary>Lines that version 0.1 of the programs wrote: stores hold them, so they must not change.</summary>
    [Fact]
    public void The_text_of_version_1_does_not_change()
    {
        const string Alone = "1,4096,7,a,b,c,ffffffffffffffff,5,131072,32,5,5,131072,5,131072,3784,1";
        const string Begin = "18446744073709551615,0,2,1090000,12,1700000000,74616e6b4073";
        var state = ParserState.Parse($"{Alone};{Begin}");
        Assert.Equal(
            (StreamPhase.Snapshot, 4096L, 7L, new Fletcher4(10, 11, 12, ulong.MaxValue)),
            (state.Phase, state.StreamOffset, state.RecordCount, state.Checksum)
        );
        Assert.Equal((5UL, 131072UL, 32UL), (state.LastWriteObject, state.LastWriteOffset, state.ObjectRange));
        Assert.Equal(new RecordPosition(5, RecordStage.Data, 131072), state.Position);
        Assert.Equal((new ResumePoint(5, 131072), 3784L), (state.ResumePoint, state.ResumeBytes));
        Assert.True(state.EndsWithWrite && state.FollowsSendOrder);
        Assert.Equal("tank@s", state.Snapshot!.FullSnapshotName);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1700000000), state.Snapshot.CreationTime);
        Assert.Equal((DatasetType.Filesystem, 12U), (state.Snapshot.Type, state.Snapshot.Flags));
        Assert.Equal($"{Alone};{Begin}", state.Format());
        Assert.Equal(Alone, state.FormatWithoutBegin());
        Assert.Equal(Begin, state.Snapshot.Format());
        Assert.Equal("0,0,0,0,0,0,0,0,0,,,,,0,0,0,0", ParserState.Start.Format());
    }

    [Theory]
    [InlineData("v2:1,2,3", "version 2")]
    [InlineData("v1:0,0,0,0,0,0,0,0,0,,,,,0,0,0,0", "version 1;")]
    [InlineData("v10:", "version 10")]
    [InlineData("1,2,3", "no parser state of version 1")]
    public void An_unknown_version_is_refused_by_its_name(string text, string message)
    {
        Assert.Contains(message, Assert.Throws<FormatException>(() => ParserState.Parse(text)).Message);
        Assert.False(ParserState.TryParse(text, out _));
    }

    [Fact]
    public void The_text_fits_exactly_or_not_at_all()
    {
        var text = ParserState.Start.Format();
        var destination = new char[text.Length];
        Assert.True(ParserState.Start.TryFormat(destination, out var written));
        Assert.Equal(text, new string(destination, 0, written));
        Assert.False(ParserState.Start.TryFormat(destination.AsSpan(1), out written));
        Assert.Equal(0, written);
    }

    [Fact]
    public void The_state_of_a_package_has_no_text()
    {
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> input = RecordedStream.All["package.zfs.gz"].Bytes;
        while (parser.Phase != StreamPhase.Package)
            _ = parser.Read(ref input, out _);
        Assert.Contains("package", Assert.Throws<InvalidOperationException>(() => parser.State.Format()).Message);
        while (!parser.IsComplete)
            _ = parser.Read(ref input, out _);
        Assert.Throws<InvalidOperationException>(() => parser.State.Format());
        Assert.Throws<InvalidOperationException>(() => parser.State.FormatWithoutBegin());
    }

    [Fact]
    public void What_a_begin_said_is_read_alone()
    {
        Assert.True(SnapshotStreamInfo.TryParse("1,0,3,0,0,0,61", out var begin));
        Assert.Equal((1UL, DatasetType.Volume, "a"), (begin.SnapshotGuid, begin.Type, begin.FullSnapshotName));
        foreach (var text in (string?[])[null, "", "1,2", "1,0,9,0,0,0,61", "1,0,3,0,0,0,6", new string('1', 2000)])
            Assert.False(SnapshotStreamInfo.TryParse(text, out _));
    }

    private static void AssertComesBack(ParserState state)
    {
        Assert.Equal(state, ParserState.Parse(state.Format()));
        Assert.Equal(state with { Begin = null, Snapshot = null }, ParserState.Parse(state.FormatWithoutBegin()));
    }
}
