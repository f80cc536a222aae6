using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Client.Pipeline;

public sealed class BlockCutterTests
{
    public static TheoryData<string> Streams => [.. RecordedStream.Whole.Select(stream => stream.File)];

    [Theory]
    [MemberData(nameof(Streams))]
    public void The_blocks_of_a_real_stream_join_to_the_stream_and_end_between_records(string file)
    {
        var stream = RecordedStream.All[file].Bytes;
        var random = RandomTest.Random();
        foreach (var most in (int[])[1 << 20, 5000, 311])
        {
            var cut = CutStream.Of(new DribblingStream(stream, random, most));
            Assert.Equal(stream, cut.Joined);
            AssertJoins(cut, ParserState.Start);
        }
    }

    [Fact]
    public void A_block_ends_with_the_record_that_brings_it_to_a_mebibyte()
    {
        var stream = CutStream.WithRecordsOf([.. Enumerable.Repeat(128 * 1024, 40)]);

        var cut = CutStream.Of(new MemoryStream(stream));

        Assert.Equal(stream, cut.Joined);
        Assert.All(cut.Blocks.SkipLast(1), block =>
            Assert.InRange(block.Length, BlockCutter.Target, BlockCutter.Target + 128 * 1024 + RecordHeader.Size)
        );
        AssertJoins(cut, ParserState.Start);
    }

    [Fact]
    public void A_record_larger_than_the_usual_buffer_is_a_block_of_its_own()
    {
        var stream = CutStream.WithRecordsOf(4096, 16 << 20, 512, 3 << 20, 1 << 20, 1 << 20, 16 << 20);

        var cut = CutStream.Of(new MemoryStream(stream));

        Assert.Equal(stream, cut.Joined);
        Assert.Equal(2, cut.Blocks.Count(block => block.Length == (16 << 20) + RecordHeader.Size));
        Assert.Equal((16 << 20) + RecordHeader.Size, cut.LargestBuffer);
        AssertJoins(cut, ParserState.Start);
    }

    [Fact]
    public void Random_sizes_and_random_reads_lose_nothing()
    {
        foreach (var draw in RandomTest.Draws(few: 10, many: 1000))
        {
            var random = draw.Random;
            var stream = CutStream.WithRecordsOf([
                .. Enumerable.Range(0, 12).Select(_ => 512 * random.Next(1, 1 << random.Next(1, 13))),
            ]);

            var cut = CutStream.Of(new DribblingStream(stream, random, 1 << random.Next(8, 21)));

            Assert.Equal(stream, cut.Joined);
            AssertJoins(cut, ParserState.Start);
        }
    }

    [Fact]
    public void It_continues_from_the_end_of_any_block()
    {
        var stream = CutStream.WithRecordsOf([.. Enumerable.Repeat(200 * 512, 50)]);
        var whole = CutStream.Of(new MemoryStream(stream));
        foreach (var state in whole.Ends.SkipLast(1))
        {
            var rest = CutStream.Of(new MemoryStream(stream[(int)state.StreamOffset..]), state);
            Assert.Equal(stream[(int)state.StreamOffset..], rest.Joined);
            Assert.Equal(whole.Ends[^1], rest.Ends[^1]);
        }
    }

    [Fact]
    public void A_stream_that_ends_early_is_refused_wherever_it_ends()
    {
        var stream = RecordedStream.All["full.zfs.gz"].Bytes;
        for (var length = 0; length < stream.Length; length += 997)
        {
            var refused = Assert.Throws<SendStreamException>(() => CutStream.Of(new MemoryStream(stream[..length])));
            Assert.Equal(SendStreamError.EndsEarly, refused.Error);
        }
    }

    [Fact]
    public void Bytes_after_the_end_are_refused()
    {
        foreach (var more in (int[])[1, 400, 2 << 20])
        {
            var refused = Assert.Throws<SendStreamException>(() =>
                CutStream.Of(new MemoryStream([.. StreamBuilder.Small().ToArray(), .. new byte[more]]))
            );
            Assert.Equal(SendStreamError.DataAfterEnd, refused.Error);
        }
    }

    [Fact]
    public void A_damaged_length_allocates_nothing_and_is_refused()
    {
        var stream = CutStream.WithRecordsOf(4096, 4096);
        var header = Enumerable
            .Range(0, stream.Length)
            .First(at => at > 700 && BitConverter.ToUInt32(stream, at) == (uint)RecordType.Write);
        BitConverter.TryWriteBytes(stream.AsSpan(header + 8 + 24), 1UL << 40);

        var refused = Assert.Throws<SendStreamException>(() => CutStream.Of(new MemoryStream(stream)));

        Assert.Equal(SendStreamError.ChecksumMismatch, refused.Error);
    }

    [Fact]
    public async Task It_waits_while_all_buffers_are_in_use()
    {
        using var buffers = new BlockBuffers(2, BlockCutter.BufferSize);
        using var stop = new CancellationTokenSource();
        using var emitted = new SemaphoreSlim(0);
        List<CutBlock> blocks = [];
        var cutter = new BlockCutter(
            new MemoryStream(CutStream.WithRecordsOf([.. Enumerable.Repeat(1 << 20, 8)])),
            ParserState.Start,
            buffers,
            block =>
            {
                lock (blocks)
                    blocks.Add(block);
                emitted.Release();
            },
            _ => { }
        );
        var cutting = Task.Run(() => cutter.Run(stop.Token), TestContext.Current.CancellationToken);
        await emitted.WaitAsync(TestContext.Current.CancellationToken);

        Assert.False(await emitted.WaitAsync(200, TestContext.Current.CancellationToken));
        lock (blocks)
            blocks[0].Buffer.Dispose();
        await emitted.WaitAsync(TestContext.Current.CancellationToken);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cutting);
    }

    /// <summary>Each block consists of complete records from the state before it to its own.</summary>
    private static void AssertJoins(CutStream cut, ParserState start)
    {
        var state = start;
        foreach (var (block, end) in cut.Blocks.Zip(cut.Ends))
        {
            var parser = SendStreamParser.Resume(state);
            ReadOnlySpan<byte> input = block;
            while (parser.Read(ref input, out _) is not (ParserEvent.NeedMoreInput or ParserEvent.EndOfStream)) { }

            Assert.True(parser.IsAtBoundary);
            Assert.Equal(end, parser.State);
            state = end;
        }

        Assert.Equal(StreamPhase.End, state.Phase);
    }
}
