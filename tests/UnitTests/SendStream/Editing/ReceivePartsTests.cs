using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Advanced;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>
/// The rest for <c>zfs receive -s</c> from some parts of a stream equals that from the complete stream.
/// </summary>
public sealed class ReceivePartsTests
{
    /// <summary>Records of a part.</summary>
    private static readonly int[] PartSizes = [1, 2, 7, 40, 100_000];

    public static TheoryData<string> SingleStreams => [.. Edits.Single.Select(stream => stream.File)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(SingleStreams))]
    public async Task The_rest_out_of_parts_is_that_out_of_the_whole_stream(string file)
    {
        var whole = RecordedStream.All[file].Bytes;
        var boundaries = Edits.Boundaries(whole);
        var leftOut = 0;
        foreach (var size in PartSizes)
        {
            var parts = Cut(whole, boundaries, size);
            foreach (var state in Thin(boundaries, size))
            {
                var token = TokenOf(state);
                var (rest, read) = await RestOfPartsAsync(token, whole, parts);
                Assert.Equal(await Edits.RestAsync(token, whole), rest);
                leftOut += parts.Count - read;
            }
        }

        Assert.True(
            boundaries.Count < 60 || leftOut > 300,
            $"only {leftOut} parts of {boundaries.Count} records were left out"
        );
    }

    [Theory]
    [MemberData(nameof(SingleStreams))]
    public void Received_bytes_are_not_read_again_except_what_the_rest_repeats(string file)
    {
        var whole = RecordedStream.All[file].Bytes;
        var boundaries = Edits.Boundaries(whole);
        foreach (var size in PartSizes)
        {
            var parts = Cut(whole, boundaries, size);
            foreach (var state in Thin(boundaries, size))
            {
                var ranges = ReceiveParts.Choose(parts.Count, index => parts[index], TokenOf(state));
                Assert.Equal(0, ranges[0].First);
                Assert.Equal(parts.Count - 1, ranges[^1].Last);
                var point =
                    state.ResumePoint.Offset == 0
                        ? new RecordPosition(Math.Max(state.ResumePoint.Object, 1), RecordStage.Object, 0)
                        : new RecordPosition(state.ResumePoint.Object, RecordStage.Data, state.ResumePoint.Offset);
                var goesOn = boundaries.FindIndex(boundary => boundary.Position >= point) / size;
                Assert.InRange(ranges[^1].First, 0, goesOn);
                Assert.InRange(ranges.Sum(range => range.Last - range.First + 1), 1, parts.Count - goesOn + 5);
            }
        }
    }

    [Fact]
    public async Task A_part_that_is_not_where_its_state_says_is_found()
    {
        var whole = RecordedStream.All["full.zfs.gz"].Bytes;
        var boundaries = Edits.Boundaries(whole);
        var parts = Cut(whole, boundaries, 20);
        var token = TokenOf(boundaries[^20]);
        Func<ParserState, ParserState>[] lies =
        [
            state => state with { Checksum = new Fletcher4(1, 2, 3, 4) },
            state => state with { StreamOffset = state.StreamOffset + 8 },
            state => state with { RecordCount = state.RecordCount + 1 },
            state => state with { LastWriteOffset = state.LastWriteOffset + 512 },
        ];
        foreach (var lie in lies)
        {
            List<ParserState> wrong = [lie(parts[0]), .. parts[1..]];
            var found = await Assert.ThrowsAsync<SendStreamException>(() =>
                RestOfPartsAsync(token, whole, wrong, parts)
            );
            Assert.Equal(SendStreamError.ChecksumMismatch, found.Error);
        }

        var first = ReceiveParts.Choose(parts.Count, index => parts[index], token)[^1].First - 1;
        List<ParserState> wrongStart =
        [
            .. parts[..first],
            parts[first] with
            {
                Checksum = new Fletcher4(1, 2, 3, 4),
            },
            .. parts[(first + 1)..],
        ];
        _ = await Assert.ThrowsAsync<SendStreamException>(() => RestOfPartsAsync(token, whole, wrongStart, parts));
    }

    [Fact]
    public async Task A_part_that_is_too_short_or_too_long_is_found()
    {
        var whole = RecordedStream.All["full.zfs.gz"].Bytes;
        var boundaries = Edits.Boundaries(whole);
        var parts = Cut(whole, boundaries, 20);
        var token = TokenOf(boundaries[^20]);
        foreach (var shift in (int[])[-1, 1])
        {
            List<ParserState> shifted = [boundaries[20 - 1 + shift], .. parts[1..]];
            _ = await Assert.ThrowsAsync<SendStreamException>(() => RestOfPartsAsync(token, whole, parts, shifted));
        }

        foreach (var bytes in (int[])[-100, 100])
        {
            List<ParserState> shifted = [parts[0] with { StreamOffset = parts[0].StreamOffset + bytes }, .. parts[1..]];
            _ = await Assert.ThrowsAsync<SendStreamException>(() => RestOfPartsAsync(token, whole, parts, shifted));
        }
    }

    [Fact]
    public async Task A_stream_without_its_end_has_no_rest()
    {
        var whole = RecordedStream.All["full.zfs.gz"].Bytes;
        var boundaries = Edits.Boundaries(whole);
        using var rest = new MemoryStream();
        var runs = new[]
        {
            new StreamRun(
                ParserState.Start,
                boundaries[30],
                new MemoryStream(whole[..(int)boundaries[30].StreamOffset])
            ),
        };

        _ = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            new ReceiveResume(TokenOf(boundaries[20])).WriteAsync(runs.ToAsyncEnumerable(), rest, Token)
        );
    }

    private static ResumeToken TokenOf(ParserState state)
    {
        var token = new StreamSplice(state).Token;
        return token.Object == 0 ? token with { Object = 1 } : token; // zfs receive -s begins with object 1
    }

    /// <summary>The states after parts of a given number of records each; the last after END.</summary>
    private static List<ParserState> Cut(byte[] whole, List<ParserState> boundaries, int size)
    {
        var end = SendStreamParser.Resume(boundaries[^1]);
        ReadOnlySpan<byte> rest = whole.AsSpan((int)boundaries[^1].StreamOffset);
        while (end.Read(ref rest, out _) != ParserEvent.EndOfStream) { }

        return
        [
            .. boundaries
                .Where((_, index) => index % size == size - 1)
                .Select(state => state with { Begin = null, Snapshot = null }),
            end.State with
            {
                Begin = null,
                Snapshot = null,
            },
        ];
    }

    private static async Task<(byte[] Stream, int Read)> RestOfPartsAsync(
        ResumeToken token,
        byte[] whole,
        List<ParserState> states,
        List<ParserState>? cuts = null
    )
    {
        var ranges = ReceiveParts.Choose(states.Count, index => states[index], token);
        var runs = ranges.Select(range => new StreamRun(
            range.First == 0 ? ParserState.Start : states[range.First - 1],
            range.Last == states.Count - 1 ? null : states[range.Last],
            new MemoryStream(whole[Offset(cuts ?? states, range.First - 1)..Offset(cuts ?? states, range.Last)])
        ));
        using var rest = new MemoryStream();
        await new ReceiveResume(token).WriteAsync(runs.ToAsyncEnumerable(), rest, Token);
        return (rest.ToArray(), ranges.Sum(range => range.Last - range.First + 1));
    }

    private static int Offset(List<ParserState> states, int index) => index < 0 ? 0 : (int)states[index].StreamOffset;

    private static IEnumerable<ParserState> Thin(List<ParserState> states, int size)
    {
        var step = Math.Max(1, states.Count / 20);
        return states.Where((_, i) => i < 4 || i > states.Count - 4 || i % step == size % step);
    }
}
