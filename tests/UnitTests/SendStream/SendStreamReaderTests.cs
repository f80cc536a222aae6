using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class SendStreamReaderTests
{
    [Fact]
    public void Records_and_payloads_are_read()
    {
        var built = StreamBuilder.Small();
        using var reader = new SendStreamReader(new MemoryStream(built.ToArray()));
        List<byte[]> read = [];
        while (reader.ReadRecord())
        {
            List<byte> record = [.. reader.Current.Raw];
            while (reader.ReadPayload() is { IsEmpty: false } slice)
                record.AddRange(slice.ToArray());
            read.Add([.. record]);
        }

        Assert.Equal(built.Records, read);
        Assert.True(reader.Parser.IsComplete);
        Assert.False(reader.ReadRecord());
        Assert.True(reader.ReadPayload().IsEmpty);
    }

    [Fact]
    public async Task Records_and_payloads_are_read_asynchronously_from_a_slow_source()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var built = StreamBuilder.Small();
        using var reader = new SendStreamReader(new DripStream(built.ToArray(), 7));
        List<byte[]> read = [];
        while (await reader.ReadRecordAsync(cancellation))
        {
            List<byte> record = [.. reader.Current.Raw];
            while (await reader.ReadPayloadAsync(cancellation) is { IsEmpty: false } slice)
                record.AddRange(slice.ToArray());
            read.Add([.. record]);
        }

        Assert.Equal(built.Records, read);
    }

    [Fact]
    public async Task Records_are_enumerated_with_their_payloads()
    {
        var built = StreamBuilder.Small();
        await using var reader = new SendStreamReader(new DripStream(built.ToArray(), 7));
        List<byte[]> read = [];
        await foreach (var record in reader.ReadRecordsAsync(TestContext.Current.CancellationToken))
        {
            Assert.Equal((read.Count, read.Sum(one => (long)one.Length)), (record.Index, record.Offset));
            Assert.Equal(record.Header.Type, record.Type);
            byte[] header = [.. record.Header.Raw];
            read.Add([.. header, .. await record.ReadWholePayloadAsync(TestContext.Current.CancellationToken)]);
        }

        Assert.Equal(built.Records, read);
    }

    [Fact]
    public void A_whole_payload_is_what_is_left_of_it()
    {
        var built = StreamBuilder.Small();
        using var reader = new SendStreamReader(new DripStream(built.ToArray(), 100));
        foreach (var record in built.Records)
        {
            Assert.True(reader.ReadRecord());
            var first = reader.ReadPayload().ToArray();
            byte[] payload = [.. first, .. reader.ReadWholePayload()];
            Assert.Equal(record[312..], payload);
            Assert.Empty(reader.ReadWholePayload());
        }

        Assert.False(reader.ReadRecord());
    }

    [Fact]
    public void After_a_skipped_payload_the_reader_stands_at_a_boundary()
    {
        using var reader = new SendStreamReader(new MemoryStream(StreamBuilder.Small().ToArray()));
        while (reader.ReadRecord())
        {
            reader.SkipPayload();
            Assert.True(reader.Parser.IsAtBoundary);
        }
    }

    [Fact]
    public void A_fault_keeps_the_stack_of_its_first_time()
    {
        var parser = new SendStreamParser();
        var first = Assert.Throws<SendStreamException>(() => Read([1, 2, 3]));
        var again = Assert.Throws<SendStreamException>(parser.EnsureComplete);
        Assert.Same(first, again);
        Assert.Contains("ReadHeader", again.StackTrace, StringComparison.Ordinal);

        void Read(ReadOnlySpan<byte> input) => parser.Read(ref input, out _);
    }

    [Fact]
    public void Payloads_that_are_skipped_are_verified_all_the_same()
    {
        var stream = StreamBuilder.Small().ToArray();
        stream[312 * 5 + 8 + 100] ^= 1; // inside the payload of SPILL
        using var reader = new SendStreamReader(new MemoryStream(stream));
        var fault = Assert.Throws<SendStreamException>(() =>
        {
            while (reader.ReadRecord()) { }
        });
        Assert.Equal(SendStreamError.ChecksumMismatch, fault.Error);
    }

    [Fact]
    public void A_source_that_ends_early_or_late_is_refused()
    {
        var stream = StreamBuilder.Small().ToArray();
        Assert.Equal(SendStreamError.EndsEarly, Refused(stream[..^1]).Error);
        Assert.Equal(SendStreamError.EndsEarly, Refused([]).Error);
        Assert.Equal(SendStreamError.DataAfterEnd, Refused([.. stream, 1]).Error);

        static SendStreamException Refused(byte[] stream)
        {
            using var reader = new SendStreamReader(new DripStream(stream, 100));
            return Assert.Throws<SendStreamException>(() =>
            {
                while (reader.ReadRecord()) { }
            });
        }
    }

    [Fact]
    public void The_source_is_closed_unless_it_is_left_open()
    {
        var source = new MemoryStream();
        new SendStreamReader(source, leaveOpen: true).Dispose();
        Assert.True(source.CanRead);
        var reader = new SendStreamReader(source);
        reader.Dispose();
        reader.Dispose();
        Assert.False(source.CanRead);
        Assert.Throws<ObjectDisposedException>(() => reader.ReadRecord());
    }

    [Fact]
    public async Task The_source_is_closed_asynchronously_unless_it_is_to_stay_open()
    {
        var source = new MemoryStream();
        await new SendStreamReader(source, leaveOpen: true).DisposeAsync();
        Assert.True(source.CanRead);
        var reader = new SendStreamReader(source);
        await reader.DisposeAsync();
        await reader.DisposeAsync();
        Assert.False(source.CanRead);
    }

    [Fact]
    public void A_reader_goes_on_from_a_parser_at_a_boundary()
    {
        var stream = StreamBuilder.Small().ToArray();
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> first = stream.AsSpan(0, 624);
        while (parser.Read(ref first, out _) != ParserEvent.NeedMoreInput) { }

        using var reader = new SendStreamReader(new MemoryStream(stream[624..]), SendStreamParser.Resume(parser.State));
        Assert.True(reader.ReadRecord());
        Assert.Equal((2L, RecordType.Object), (reader.Parser.RecordIndex, reader.Current.Type));
    }

    /// <summary>Gives a few bytes at a time.</summary>
    private sealed class DripStream(byte[] bytes, int most) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, most)]);

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer,
            CancellationToken cancellationToken = default
        )
        {
            await Task.Yield();
            return Read(buffer.Span);
        }
    }
}
