using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>
/// Streams whose BEGIN holds a list in XDR can all that streams with a native list can, and lose no byte of it: keys
/// and sets of initialization vectors are in it.
/// </summary>
public sealed class XdrStreamTests
{
    public static TheoryData<string> StreamsWithLists =>
        [
            .. RecordedStream
                .Whole.Where(stream => stream.Kind != "package" && BeginOf(stream.Bytes).List is not null)
                .Select(stream => stream.File),
        ];

    [Theory]
    [MemberData(nameof(StreamsWithLists))]
    public void They_say_the_same(string file)
    {
        var native = RecordedStream.All[file].Bytes;
        var xdr = XdrEncoding.Of(native);

        Assert.NotEqual(native, xdr);
        Assert.Equal(BeginOf(native).Facts, BeginOf(xdr).Facts);
        var list = BeginOf(xdr).List!;
        Assert.Equal(BeginOf(native).List!.Pack(), list.Pack());
        Assert.Equal(native[312..(312 + list.Pack().Length)], list.Pack());
        Assert.Equal(Verifying.Verify(native).Records, Verifying.Verify(xdr).Records);
    }

    [Fact]
    public async Task Raw_ones_are_merged_into_the_same_stream()
    {
        var (full, incremental) = (Bytes("raw.zfs.gz"), Bytes("raw-incremental.zfs.gz"));

        var merged = await Edits.MergeAsync(full, incremental);

        Assert.Equal(merged, await Edits.MergeAsync(XdrEncoding.Of(full), XdrEncoding.Of(incremental)));
        Assert.Equal(merged, await Edits.MergeAsync(full, XdrEncoding.Of(incremental)));
    }

    [Theory]
    [InlineData("raw.zfs.gz")]
    [InlineData("raw-incremental.zfs.gz")]
    public async Task An_interrupted_receive_of_a_raw_one_resumes_with_the_same_rest(string file)
    {
        var native = Bytes(file);
        var xdr = XdrEncoding.Of(native);
        var states = Edits.Boundaries(native);
        foreach (var state in states.Where((_, index) => index % 7 == 3))
        {
            var token = new StreamSplice(state).Token;
            if (token.Object != 0)
                Assert.Equal(await Edits.RestAsync(token, native), await Edits.RestAsync(token, xdr));
        }
    }

    [Fact]
    public async Task An_interrupted_send_of_a_raw_one_is_completed()
    {
        var whole = XdrEncoding.Of(Bytes("raw.zfs.gz"));
        var second = XdrEncoding.Of(Bytes("resumed-raw.zfs.gz"));
        var token = ResumeToken.Parse(RecordedStream.All["resumed-raw.zfs.gz"].Token!);
        var spliced = 0;
        foreach (var state in Edits.Boundaries(whole))
        {
            if (state.ResumePoint != new ResumePoint(token.Object, token.Offset))
                continue;
            Assert.Equal(whole[(int)state.StreamOffset..], await Edits.SpliceAsync(state, second));
            spliced++;
        }

        Assert.NotEqual(0, spliced);
    }

    private static byte[] Bytes(string file) => RecordedStream.All[file].Bytes;

    private static (SnapshotStreamInfo Facts, NvList? List) BeginOf(byte[] stream)
    {
        using var reader = new SendStreamReader(new MemoryStream(stream));
        Assert.True(reader.ReadRecord());
        while (!reader.ReadPayload().IsEmpty) { }
        return (reader.Parser.Begin!, reader.Parser.BeginPayload);
    }
}
