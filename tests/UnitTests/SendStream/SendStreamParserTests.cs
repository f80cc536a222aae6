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
            ["Record Begin", "EndOfRecord", "Record Free", "EndOfRecord", "Record Write", "Payload 512", "EndOfRecord", "Record End", "EndOfRecord", "EndOfStream"],
            events);
    }

    [Fact]
    public void Each_record_has_its_place_and_the_checksum_before_and_after_it()
    {
        var built = StreamBuilder.Small();
        var parser = new SendStreamParser();
        var (index, offset) = (0L, 0L);
        var after = default(Fletcher4);
        ReadOnlySpan<byte> input = built.ToArray();
        for (var found = parser.Read(ref input, out _); found != ParserEvent.EndOfStream; found = parser.Read(ref input, out _))
        {
            if (found == ParserEvent.Record)
            {
                Assert.Equal((index, offset, after), (parser.RecordIndex, parser.RecordOffset, parser.ChecksumBefore));
                Assert.True(parser.Current.Raw.SequenceEqual(built.Records[(int)index].AsSpan(0, 312)));
                Assert.Equal(built.Records[(int)index].Length - 312, parser.Current.PayloadLength);
                Assert.Equal(StreamBuilder.Guid, parser.Current.ToGuid);
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
    public void The_fields_of_every_type_are_read_from_their_places()
    {
        // Bytes 0, 1, 2 … let each field show where it was read.
        var fields = Enumerable.Range(0, 304).Select(i => (byte)i).ToArray();
        RecordHeader Header(RecordType type) => new((byte[])[.. BitConverter.GetBytes((uint)type), .. new byte[4], .. fields]);
        ulong At(int offset) => BitConverter.ToUInt64(fields, offset);
        uint Half(int offset) => BitConverter.ToUInt32(fields, offset);

        var write = Header(RecordType.Write).AsWrite();
        Assert.Equal((At(0), Half(8), At(16), At(24), At(32)), (write.Object, write.ObjectType, write.Offset, write.LogicalSize, write.ToGuid));
        Assert.Equal((40, 41, 42, At(88)), (write.ChecksumType, write.Flags, write.CompressionType, write.CompressedSize));
        Assert.Equal((96, 104, 116), (write.Salt[0], write.InitializationVector[0], write.MessageAuthenticationCode[0]));

        var number = Header(RecordType.Object).AsObject();
        Assert.Equal((At(0), Half(8), Half(12), Half(16), Half(20)), (number.Object, number.ObjectType, number.BonusType, number.BlockSize, number.BonusLength));
        Assert.Equal((24, 25, 26, 27, Half(28)), (number.ChecksumType, number.CompressionType, number.DnodeSlots, number.Flags, number.RawBonusLength));
        Assert.Equal((At(32), 40, 41, 42, At(48)), (number.ToGuid, number.IndirectBlockShift, number.Levels, number.BlockPointers, number.MaxBlockId));

        var spill = Header(RecordType.Spill).AsSpill();
        Assert.Equal((At(0), At(8), At(16), 24, 25, At(32), Half(76)), (spill.Object, spill.Length, spill.ToGuid, spill.Flags, spill.CompressionType, spill.CompressedSize, spill.ObjectType));

        var embedded = Header(RecordType.WriteEmbedded).AsWriteEmbedded();
        Assert.Equal((At(0), At(8), At(16), At(24)), (embedded.Object, embedded.Offset, embedded.Length, embedded.ToGuid));
        Assert.Equal((32, 33, Half(40), Half(44)), (embedded.CompressionType, embedded.EmbeddedType, embedded.LogicalSize, embedded.PhysicalSize));

        var same = Header(RecordType.WriteByRef).AsWriteByRef();
        Assert.Equal((At(0), At(8), At(16), At(24)), (same.Object, same.Offset, same.Length, same.ToGuid));
        Assert.Equal((At(32), At(40), At(48), 56, 57), (same.SourceGuid, same.SourceObject, same.SourceOffset, same.ChecksumType, same.Flags));

        var range = Header(RecordType.ObjectRange).AsObjectRange();
        Assert.Equal((At(0), At(8), At(16), 24, 32, 44, 60), (range.FirstObject, range.SlotCount, range.ToGuid, range.Salt[0], range.InitializationVector[0], range.MessageAuthenticationCode[0], range.Flags));

        Assert.Equal(At(272), Header(RecordType.End).StoredChecksum.A);
        Assert.Throws<InvalidOperationException>(() => Header(RecordType.End).AsWrite());
        Assert.Throws<ArgumentException>(() => new RecordHeader(new byte[311]));
    }

    [Fact]
    public void A_parser_left_at_any_boundary_is_resumed_there()
    {
        foreach (var built in (StreamBuilder[])[StreamBuilder.Small(), StreamBuilder.SmallPackage(), StreamBuilder.SmallRaw()])
        {
            var stream = built.ToArray();
            var whole = Events(new SendStreamParser(), stream);
            foreach (var cut in built.Records.Select((_, index) => built.Records.Take(index).Sum(record => record.Length)).Append(stream.Length))
            {
                var first = new SendStreamParser();
                var before = Events(first, stream.AsSpan(0, cut));
                Assert.True(first.IsAtBoundary);
                var second = SendStreamParser.Resume(first.State);
                var after = Events(second, stream.AsSpan(cut));
                Assert.Equal(whole, before.Where(name => name != "NeedMoreInput" && (cut < stream.Length || name != "EndOfStream")).Concat(after));
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

        SendStreamException Refused(ParserState resumed, byte[] next) => Assert.Throws<SendStreamException>(() => Events(SendStreamParser.Resume(resumed), next));
        Assert.Equal(StreamFault.ChecksumMismatch, Refused(state, records[3]).Fault);
        Assert.Equal(StreamFault.ChecksumMismatch, Refused(state with { Checksum = new Fletcher4(1, 2, 3, 4) }, records[2]).Fault);
        Assert.Equal(StreamFault.GuidMismatch, Refused(state with { Snapshot = state.Snapshot! with { ToGuid = 1 } }, records[2]).Fault);
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
        while (parser.Read(ref input, out _) != ParserEvent.EndOfStream)
        {
        }
    }

    private static List<string> Events(SendStreamParser parser, ReadOnlySpan<byte> input)
    {
        List<string> events = [];
        while (true)
        {
            var found = parser.Read(ref input, out var payload);
            events.Add(found switch
            {
                ParserEvent.Record => $"Record {parser.Current.Type}",
                ParserEvent.Payload => $"Payload {payload.Length}",
                _ => found.ToString(),
            });
            if (found is ParserEvent.NeedMoreInput or ParserEvent.EndOfStream)
                return events;
        }
    }
}
