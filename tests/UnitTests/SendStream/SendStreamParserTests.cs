using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class SendStreamParserTests
{
    [Fact]
    public void Events_come_in_the_order_of_the_stream()
    {
        var built = new StreamBuilder().Begin().Free(1, 512).Write(1, 0, StreamBuilder.Noise(512, 1)).End();
        var events = Events(new SendStreamParser(), built.ToArray());
        Assert.Equal(
            [
                "Record Begin",
                "EndOfRecord",
                "Record Free",
                "EndOfRecord",
                "Record Write",
                "Payload 512",
                "EndOfRecord",
                "Record End",
                "EndOfRecord",
                "EndOfStream",
            ],
            events
        );
    }

    [Fact]
    public void Each_record_has_its_offset_and_the_checksum_before_and_after_it()
    {
        var built = StreamBuilder.Small();
        var parser = new SendStreamParser();
        var (index, offset) = (0L, 0L);
        var after = default(Fletcher4);
        ReadOnlySpan<byte> input = built.ToArray();
        for (
            var found = parser.Read(ref input, out _);
            found != ParserEvent.EndOfStream;
            found = parser.Read(ref input, out _)
        )
        {
            if (found == ParserEvent.Record)
            {
                Assert.Equal((index, offset, after), (parser.RecordIndex, parser.RecordOffset, parser.ChecksumBefore));
                Assert.True(parser.Current.Raw.SequenceEqual(built.Records[(int)index].AsSpan(0, 312)));
                Assert.Equal(built.Records[(int)index].Length - 312, parser.Current.PayloadLength);
                Assert.Equal(StreamBuilder.Guid, parser.Current.SnapshotGuid);
            }
            else if (found == ParserEvent.EndOfRecord)
            {
                offset += built.Records[(int)index].Length;
                Assert.Equal((index, offset), (parser.RecordIndex, parser.StreamOffset));
                Assert.Equal(++index, parser.RecordCount);
                after = parser.Checksum;
            }
        }

        Assert.Equal(built.Records.Count, index);
    }

    [Fact]
    public void A_parser_can_be_resumed_at_every_boundary()
    {
        foreach (
            var built in (StreamBuilder[])
                [StreamBuilder.Small(), StreamBuilder.SmallPackage(), StreamBuilder.SmallRaw()]
        )
        {
            var stream = built.ToArray();
            var whole = Events(new SendStreamParser(), stream);
            for (var count = 0; count <= built.Records.Count; count++)
            {
                var cut = built.Records.Take(count).Sum(record => record.Length);
                var first = new SendStreamParser();
                var before = Events(first, stream.AsSpan(0, cut));
                Assert.True(first.IsAtBoundary);
                var second = SendStreamParser.Resume(first.State);
                var after = Events(second, stream.AsSpan(cut));
                // The last event before the cut is that no more input is available.
                Assert.Equal(whole, before.SkipLast(1).Concat(after));
                second.EnsureComplete();
                Assert.Equal((stream.Length, built.Records.Count), (second.StreamOffset, second.RecordCount));
                Assert.Equal(first.Begin ?? second.Begin, second.Begin);
            }
        }
    }

    [Fact]
    public void A_parser_resumed_with_another_state_refuses_the_next_record()
    {
        var records = StreamBuilder.Small().Records;
        var parser = new SendStreamParser();
        Events(parser, [.. records[0], .. records[1]]);
        var state = parser.State;

        static SendStreamException Refused(ParserState resumed, byte[] next) =>
            Assert.Throws<SendStreamException>(() => Events(SendStreamParser.Resume(resumed), next));

        Assert.Equal(SendStreamError.ChecksumMismatch, Refused(state, records[3]).Error);
        Assert.Equal(
            SendStreamError.ChecksumMismatch,
            Refused(state with { Checksum = new Fletcher4(1, 2, 3, 4) }, records[2]).Error
        );
        Assert.Equal(
            SendStreamError.GuidMismatch,
            Refused(state with { Snapshot = state.Snapshot! with { SnapshotGuid = 1 } }, records[2]).Error
        );
        Assert.Equal((2L, 624L), (Refused(state, records[3]).RecordIndex, Refused(state, records[3]).StreamOffset));
        Assert.Throws<ArgumentException>(() => SendStreamParser.Resume(state with { Snapshot = null }));
    }

    [Fact]
    public void A_parser_inside_a_record_has_no_state()
    {
        var parser = new SendStreamParser();
        Events(parser, StreamBuilder.Small().ToArray().AsSpan(0, 400));
        Assert.False(parser.IsAtBoundary);
        Assert.Throws<InvalidOperationException>(() => parser.State);
    }

    [Fact]
    public void Nothing_is_allocated_for_a_record()
    {
        var built = new StreamBuilder().Begin();
        for (var i = 0UL; i < 500; i++)
            built.Write(1, i * 512, new byte[512]).Free(1, 512).Object(i, [1, 2, 3]);
        var stream = built.End().ToArray();
        Consume(new SendStreamParser(), stream);

        var parser = new SendStreamParser();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Consume(parser, stream);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2048); // the facts of BEGIN
        Assert.Equal(1502, parser.RecordCount);
    }

    private static void Consume(SendStreamParser parser, ReadOnlySpan<byte> input)
    {
        while (parser.Read(ref input, out _) != ParserEvent.EndOfStream) { }
    }

    private static List<string> Events(SendStreamParser parser, ReadOnlySpan<byte> input)
    {
        List<string> events = [];
        while (true)
        {
            var found = parser.Read(ref input, out var payload);
            events.Add(
                found switch
                {
                    ParserEvent.Record => $"Record {parser.Current.Type}",
                    ParserEvent.Payload => $"Payload {payload.Length}",
                    _ => found.ToString(),
                }
            );
            if (found is ParserEvent.NeedMoreInput or ParserEvent.EndOfStream)
                return events;
        }
    }
}
