using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.UnitTests.Client.Pipeline;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>
/// The rest of a stream for synchronous readers is the rest that <see cref="StreamSplice.WriteRestAsync"/> writes.
/// </summary>
public sealed class SplicedStreamTests
{
    public static TheoryData<string> Continuations =>
        [.. RecordedStream.Whole.Where(stream => stream.IsResumed).Select(stream => stream.File)];

    public static TheoryData<string> SingleStreams => [.. Edits.Single.Select(stream => stream.File)];

    [Theory]
    [MemberData(nameof(Continuations))]
    public void What_ZFS_sent_for_a_token_is_read_as_the_rest_from_every_later_boundary(string file)
    {
        var second = RecordedStream.All[file];
        var whole = RecordedStream.All[second.Resumes + ".zfs.gz"].Bytes;
        var from = Verifying.Verify(second.Bytes).Begin.ResumePoint!.Value;
        var random = RandomTest.Random();
        var states = Edits
            .Boundaries(whole)
            .Where(state =>
                state.ResumePoint.Object > from.Object
                || (state.ResumePoint.Object == from.Object && state.ResumePoint.Offset >= from.Offset)
            )
            .ToList();
        Assert.NotEmpty(states);
        foreach (var state in states.Where((_, i) => i < 10 || i % (1 + (states.Count / 40)) == 0))
            Assert.Equal(
                whole[(int)state.StreamOffset..],
                ReadAll(state, new DribblingStream(second.Bytes, random, 1 << random.Next(4, 19)), random)
            );
    }

    [Theory]
    [MemberData(nameof(SingleStreams))]
    public async Task A_stream_is_completed_from_boundaries_by_what_ZFS_would_send(string file)
    {
        var whole = RecordedStream.All[file].Bytes;
        var random = RandomTest.Random();
        var states = Edits.Boundaries(whole);
        foreach (var state in states.Where((_, i) => i < 10 || i % (1 + (states.Count / 30)) == 0))
        {
            var token = new StreamSplice(state).Token;
            var second = token.Object == 0 ? whole : await Edits.RestAsync(token, whole);
            Assert.Equal(
                whole[(int)state.StreamOffset..],
                ReadAll(state, new DribblingStream(second, random, 1 << random.Next(4, 19)), random)
            );
        }
    }

    [Fact]
    public void Another_stream_yields_no_byte()
    {
        var state = Edits.Boundaries(RecordedStream.All["full.zfs.gz"].Bytes)[20];
        using var rest = new StreamSplice(state).OpenRest(new MemoryStream(RecordedStream.All["volume.zfs.gz"].Bytes));

        Assert.Throws<StreamCombinationException>(() => rest.ReadByte());
    }

    [Fact]
    public async Task A_damaged_rest_never_completes_a_stream()
    {
        var whole = RecordedStream.All["full.zfs.gz"].Bytes;
        var state = Edits.Boundaries(whole)[30];
        var second = await Edits.RestAsync(new StreamSplice(state).Token, whole);
        foreach (var draw in RandomTest.Draws(few: 50, many: 10_000))
        {
            var damaged = Mutations.Mutate(second, draw.Random);
            if (damaged.AsSpan().SequenceEqual(second))
                continue;
            var failure = Record.Exception(() => ReadAll(state, new MemoryStream(damaged), draw.Random));
            Assert.True(failure is SendStreamException or StreamCombinationException, $"{draw}: {failure}");
        }
    }

    private static byte[] ReadAll(ParserState first, Stream second, Random random)
    {
        using var rest = new StreamSplice(first).OpenRest(second);
        using var all = new MemoryStream();
        var buffer = new byte[300_000];
        int count;
        while ((count = rest.Read(buffer.AsSpan(0, random.Next(1, buffer.Length)))) > 0)
            all.Write(buffer, 0, count);
        return all.ToArray();
    }
}
