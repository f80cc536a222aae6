using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>
/// Resuming a send without ZFS: with recorded rests, and with the rest that <see cref="ReceiveResume"/> makes.
/// </summary>
public sealed class StreamSpliceTests
{
    public static TheoryData<string> Continuations =>
        [.. RecordedStream.WholeOfAllVersions.Where(stream => stream.IsResumed).Select(stream => stream.File)];

    public static TheoryData<string> SingleStreams => [.. Edits.Single.Select(stream => stream.File)];

    [Theory]
    [MemberData(nameof(Continuations))]
    public async Task What_ZFS_sent_for_a_token_completes_the_stream_from_every_later_boundary(string file)
    {
        var second = RecordedStream.All[file];
        var whole = RecordedStream.All[second.Resumes + ".zfs.gz"].Bytes;
        var from = Verifying.Verify(second.Bytes).Begin.ResumePoint!.Value;
        var spliced = 0;
        foreach (var state in Edits.Boundaries(whole))
        {
            if (
                state.ResumePoint.Object < from.Object
                || (state.ResumePoint.Object == from.Object && state.ResumePoint.Offset < from.Offset)
            )
            {
                var refused = await Assert.ThrowsAsync<StreamCombinationException>(() =>
                    Edits.SpliceAsync(state, second.Bytes)
                );
                Assert.Contains("but the first reaches only", refused.Message, StringComparison.Ordinal);
                continue;
            }

            Assert.Equal(whole[(int)state.StreamOffset..], await Edits.SpliceAsync(state, second.Bytes));
            spliced++;
        }

        Assert.NotEqual(0, spliced);
    }

    public static TheoryData<string> RecordedCuts =>
        [.. RecordedTokens.Cuts.Keys.Intersect(Edits.Single.Select(stream => stream.File))];

    /// <summary>
    /// zfs receive accepts a record when it has the header of the next, so a cut must leave that header for the same
    /// state.
    /// </summary>
    [Theory]
    [MemberData(nameof(RecordedCuts))]
    public void The_token_is_byte_for_byte_that_of_ZFS_for_the_same_state(string file)
    {
        var states = Edits.Boundaries(RecordedStream.All[file].Bytes);
        foreach (var (bytes, token) in RecordedTokens.Cuts[file])
        {
            var state = states.Last(state => state.StreamOffset + RecordHeader.Size <= bytes);
            Assert.Equal(token, new StreamSplice(state).Token.ToString());
        }
    }

    [Theory]
    [MemberData(nameof(SingleStreams))]
    public async Task A_stream_is_completed_from_every_boundary(string file)
    {
        var whole = RecordedStream.All[file].Bytes;
        foreach (var state in Thin(Edits.Boundaries(whole)))
        {
            var token = new StreamSplice(state).Token;
            var second = token.Object == 0 ? whole : await Edits.RestAsync(token, whole);
            Assert.Equal(whole[(int)state.StreamOffset..], await Edits.SpliceAsync(state, second));
        }
    }

    [Theory]
    [MemberData(nameof(SingleStreams))]
    public async Task A_stream_that_is_sent_again_from_its_start_completes_every_first_part(string file)
    {
        var whole = RecordedStream.All[file].Bytes;
        foreach (var state in Thin(Edits.Boundaries(whole)))
            Assert.Equal(whole[(int)state.StreamOffset..], await Edits.SpliceAsync(state, whole));
    }

    [Fact]
    public async Task A_first_part_is_cut_back_to_its_last_complete_record()
    {
        var stream = RecordedStream.All["full.zfs.gz"].Bytes;
        for (var length = 0; length < 40_000; length += 1117)
        {
            var cut = await SendStreamRecovery.FindValidPrefixAsync(
                new MemoryStream(stream[..length]),
                TestContext.Current.CancellationToken
            );
            Assert.Equal(SendStreamError.EndsEarly, cut.Failure!.Error);
            Assert.InRange(length - cut.State.StreamOffset, 0, 312 + 16_384);
            Assert.Equal(
                Edits.Boundaries(stream).LastOrDefault(state => state.StreamOffset <= length)?.StreamOffset ?? 0,
                cut.State.StreamOffset
            );
        }

        Assert.Null(
            (
                await SendStreamRecovery.FindValidPrefixAsync(
                    new MemoryStream(stream),
                    TestContext.Current.CancellationToken
                )
            ).Failure
        );
    }

    [Fact]
    public async Task A_damaged_first_part_is_cut_back_to_before_the_damage()
    {
        var stream = (byte[])RecordedStream.All["full.zfs.gz"].Bytes.Clone();
        stream[20_000] ^= 1;
        var cut = await SendStreamRecovery.FindValidPrefixAsync(
            new MemoryStream(stream),
            TestContext.Current.CancellationToken
        );
        Assert.Equal(SendStreamError.ChecksumMismatch, cut.Failure!.Error);
        Assert.InRange(cut.State.StreamOffset, 312, 20_000);
    }

    [Fact]
    public async Task Parts_of_different_streams_are_not_joined()
    {
        var whole = RecordedStream.All["full.zfs.gz"].Bytes;
        var state = Edits.Boundaries(whole)[20];
        foreach (
            var other in (string[])
                [
                    "incremental-1.zfs.gz",
                    "raw.zfs.gz",
                    "volume.zfs.gz",
                    "resumed-incremental.zfs.gz",
                    "package.zfs.gz",
                    "compressed.zfs.gz",
                ]
        )
            _ = await Assert.ThrowsAsync<StreamCombinationException>(() =>
                Edits.SpliceAsync(state, RecordedStream.All[other].Bytes)
            );
    }

    [Fact]
    public async Task A_rest_sent_with_other_options_is_refused()
    {
        var whole = RecordedStream.All["large-compressed-embedded.zfs.gz"].Bytes;
        var state = Edits.Boundaries(whole)[10];
        foreach (var other in (string[])["large-blocks.zfs.gz", "large-split.zfs.gz"])
        {
            var refused = await Assert.ThrowsAsync<StreamCombinationException>(() =>
                Edits.SpliceAsync(state, RecordedStream.All[other].Bytes)
            );
            Assert.Contains("the first uses", refused.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("package.zfs.gz", "package")]
    [InlineData("redacted.zfs.gz", "redacted")]
    [InlineData("resumed.zfs.gz", "rest of an interrupted stream")]
    public void What_ZFS_cannot_resume_is_refused(string file, string reason)
    {
        var refused = Assert.Throws<StreamCombinationException>(() =>
            new StreamSplice(Edits.Boundaries(RecordedStream.All[file].Bytes)[^1])
        );
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_can_be_resumed_before_the_start_and_after_the_end()
    {
        Assert.Throws<StreamCombinationException>(() => new StreamSplice(ParserState.Start));
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> input = StreamBuilder.Small().ToArray();
        while (parser.Read(ref input, out _) != ParserEvent.EndOfStream) { }

        Assert.Throws<StreamCombinationException>(() => new StreamSplice(parser.State));
    }

    [Fact]
    public async Task A_damaged_rest_never_completes_a_stream()
    {
        var whole = RecordedStream.All["full.zfs.gz"].Bytes;
        var state = Edits.Boundaries(whole)[30];
        var rest = await Edits.RestAsync(new StreamSplice(state).Token, whole);
        var random = new Random(1);
        for (var i = 0; i < 200; i++)
        {
            var damaged = Mutations.Mutate(rest, random);
            if (damaged.AsSpan().SequenceEqual(rest))
                continue;
            var failure = await Record.ExceptionAsync(() => Edits.SpliceAsync(state, damaged));
            Assert.True(failure is SendStreamException or StreamCombinationException, $"{i}: {failure}");
        }
    }

    [Fact]
    public async Task A_rest_for_a_receive_is_refused_if_the_token_is_of_another_stream()
    {
        var token = ResumeToken.Parse(RecordedStream.All["resumed.zfs.gz"].Token!);
        var whole = RecordedStream.All["full.zfs.gz"].Bytes;
        ResumeToken[] others =
        [
            token with
            {
                SnapshotGuid = 1,
            },
            token with
            {
                BaseGuid = 1,
            },
            token with
            {
                Raw = true,
            },
            token with
            {
                LargeBlocks = true,
            },
            token with
            {
                Compressed = true,
            },
            token with
            {
                Embedded = true,
            },
            token with
            {
                Object = 1_000_000,
                Offset = 512,
            },
        ];
        foreach (var other in others)
        {
            using var rest = new MemoryStream();
            _ = await Assert.ThrowsAsync<StreamCombinationException>(() =>
                new ReceiveResume(other).WriteAsync(
                    new MemoryStream(whole),
                    rest,
                    TestContext.Current.CancellationToken
                )
            );
            Assert.Equal(0, rest.Length);
        }
    }

    /// <summary>Of many boundaries, those near the ends and every few between.</summary>
    private static IEnumerable<ParserState> Thin(List<ParserState> states)
    {
        var step = Math.Max(1, states.Count / 60);
        return states.Where((_, i) => i < 20 || i > states.Count - 10 || i % step == 0);
    }
}
