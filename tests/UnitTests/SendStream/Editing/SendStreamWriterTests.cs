using System.Buffers;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

public sealed class SendStreamWriterTests
{
    public static TheoryData<string> WholeStreams =>
        [.. RecordedStream.WholeOfAllVersions.Select(stream => stream.File)];

    [Theory]
    [MemberData(nameof(WholeStreams))]
    public void A_stream_that_is_read_is_written_back_byte_for_byte(string file)
    {
        var stream = RecordedStream.All[file].Bytes;
        Assert.Equal(stream, Rewrite(stream, (header, writer) => writer.WriteHeader(header)));
    }

    [Theory]
    [MemberData(nameof(WholeStreams))]
    public void The_writer_sets_the_checksums(string file)
    {
        var stream = RecordedStream.All[file].Bytes;
        var rewritten = Rewrite(stream, (header, writer) =>
        {
            var blank = header.Raw.ToArray();
            if (header.Type == RecordType.End)
                blank.AsSpan(8, 32).Fill(0xaa);
            if (header.Type != RecordType.Begin && header.SnapshotGuid != 0)
                blank.AsSpan(280).Fill(0x55);
            writer.WriteHeader(new RecordHeader(blank));
        });
        Assert.Equal(stream, rewritten);
    }

    [Fact]
    public void Edited_records_make_a_valid_stream()
    {
        var edited = new EditableRecord();
        var stream = Rewrite(StreamBuilder.Small().ToArray(), (header, writer) =>
        {
            _ = edited.Load(header).SetSnapshotGuid(99);
            if (header.Type == RecordType.End)
            {
                writer.WriteHeader(
                    new EditableRecord()
                        .Make(
                            new FreeRecordData
                            {
                                Object = 3,
                                Offset = 4096,
                                Length = 512,
                                SnapshotGuid = 99,
                            }
                        )
                        .Header
                );
                writer.WriteHeader(
                    new EditableRecord()
                        .Make(
                            new FreeObjectsRecordData
                            {
                                FirstObject = 7,
                                ObjectCount = 3,
                                SnapshotGuid = 99,
                            }
                        )
                        .Header
                );
            }

            writer.WriteHeader(edited.Header);
        });

        var facts = Verifying.Verify(stream);
        Assert.Equal(99UL, facts.Begin.SnapshotGuid);
        Assert.Equal((3, 2), (facts.Records[RecordType.Free], facts.Records[RecordType.FreeObjects]));
    }

    [Fact]
    public void Writing_continues_where_a_parser_stopped()
    {
        var stream = StreamBuilder.Small();
        var whole = stream.ToArray();
        foreach (var state in Edits.Boundaries(whole))
        {
            var output = new ArrayBufferWriter<byte>();
            var writer = new SendStreamWriter(output, state);
            for (var i = (int)state.RecordCount; i < stream.Records.Count; i++)
            {
                writer.WriteHeader(new RecordHeader(stream.Records[i].AsSpan(0, 312)));
                writer.WritePayload(stream.Records[i].AsSpan(312));
            }

            Assert.Equal(whole[(int)state.StreamOffset..], output.WrittenSpan.ToArray());
            Assert.Equal((whole.Length, true), (writer.Length, writer.IsComplete));
        }
    }

    [Fact]
    public void A_payload_is_neither_too_short_nor_too_long()
    {
        var records = StreamBuilder.Small().Records;
        var writer = new SendStreamWriter(new ArrayBufferWriter<byte>());
        writer.WriteHeader(new RecordHeader(records[0].AsSpan(0, 312)));
        writer.WriteHeader(new RecordHeader(records[1].AsSpan(0, 312)));
        writer.WriteHeader(new RecordHeader(records[2].AsSpan(0, 312)));
        Assert.Throws<InvalidOperationException>(() => writer.WritePayload(new byte[9]));
        writer.WritePayload(new byte[7]);
        Assert.Throws<InvalidOperationException>(() => writer.WriteHeader(new RecordHeader(records[3].AsSpan(0, 312))));
        writer.WritePayload(new byte[1]);
        writer.WriteHeader(new RecordHeader(records[3].AsSpan(0, 312)));
    }

    [Fact]
    public void Records_appear_only_where_they_are_allowed()
    {
        var records = StreamBuilder.Small().Records;
        var writer = new SendStreamWriter(new ArrayBufferWriter<byte>());
        Assert.Throws<InvalidOperationException>(() => writer.WriteHeader(new RecordHeader(records[1].AsSpan(0, 312))));
        writer.WriteHeader(new RecordHeader(records[0].AsSpan(0, 312)));
        Assert.Throws<InvalidOperationException>(() => writer.WriteHeader(new RecordHeader(records[0].AsSpan(0, 312))));
        writer.WriteHeader(new RecordHeader(records[^1].AsSpan(0, 312)));
        Assert.Throws<InvalidOperationException>(() =>
            writer.WriteHeader(new RecordHeader(records[^1].AsSpan(0, 312)))
        );
    }

    private delegate void HeaderEdit(RecordHeader header, SendStreamWriter writer);

    private static byte[] Rewrite(byte[] stream, HeaderEdit write)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new SendStreamWriter(output);
        using var reader = new SendStreamReader(new MemoryStream(stream));
        while (reader.ReadRecord())
        {
            write(reader.Current, writer);
            while (reader.ReadPayload() is { IsEmpty: false } slice)
                writer.WritePayload(slice.Span);
        }

        Assert.True(writer.IsComplete);
        return output.WrittenSpan.ToArray();
    }
}
