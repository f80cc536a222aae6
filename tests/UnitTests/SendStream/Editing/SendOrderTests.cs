using System.Buffers.Binary;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>
/// What is resumed or continued must be in the order in which ZFS sends, and have a BEGIN that can be written again.
/// </summary>
public sealed class SendOrderTests
{
    public static TheoryData<string> Streams =>
        [.. RecordedStream.WholeOfAllVersions.Where(stream => stream.Kind != "package").Select(stream => stream.File)];

    [Theory]
    [MemberData(nameof(Streams))]
    public void ZFS_sends_in_order(string file)
    {
        using var reader = new SendStreamReader(new MemoryStream(RecordedStream.All[file].Bytes));
        while (reader.ReadRecord())
            Assert.True(reader.Parser.FollowsSendOrder, $"record {reader.Parser.RecordIndex}");
    }

    [Fact]
    public void Disorder_is_recorded_and_not_a_fault()
    {
        var stream = Disordered().ToArray();
        Assert.Equal(
            [true, true, true, false, false],
            Edits.Boundaries(stream).Select(state => state.FollowsSendOrder)
        );
        Assert.Equal(6, Verifying.Verify(stream).RecordCount);
    }

    [Fact]
    public void Disorder_is_judged_for_each_snapshot()
    {
        var package = new StreamBuilder()
            .PackageBegin()
            .PackageEnd()
            .Begin(guid: 7)
            .Object(5, [])
            .End()
            .Begin(guid: 8, baseGuid: 7)
            .Object(1, [])
            .End()
            .PackageClose();
        using var reader = new SendStreamReader(new MemoryStream(package.ToArray()));
        while (reader.ReadRecord())
            Assert.True(reader.Parser.FollowsSendOrder);
    }

    [Fact]
    public async Task A_second_part_in_another_order_is_refused_instead_of_losing_records()
    {
        var state = Edits.Boundaries(Ordered().ToArray())[1];
        var refused = await Assert.ThrowsAsync<SendStreamException>(() =>
            Edits.SpliceAsync(state, Disordered().ToArray())
        );
        Assert.Equal((SendStreamError.UnexpectedRecord, 3), (refused.Error, refused.RecordIndex));
    }

    [Fact]
    public void A_first_part_in_another_order_is_refused()
    {
        var refused = Assert.Throws<StreamCombinationException>(() =>
            new StreamSplice(Edits.Boundaries(Disordered().ToArray())[^1])
        );
        Assert.Contains("order", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stored_stream_in_another_order_is_refused()
    {
        var token = new StreamSplice(Edits.Boundaries(Ordered().ToArray())[1]).Token;
        var refused = await Assert.ThrowsAsync<SendStreamException>(() =>
            Edits.RestAsync(token, Disordered().ToArray())
        );
        Assert.Equal((SendStreamError.UnexpectedRecord, 3), (refused.Error, refused.RecordIndex));
    }

    [Fact]
    public async Task A_begin_that_cannot_be_written_again_is_refused_before_anything_is_written()
    {
        var payload = Packing.Native(("strange", 1UL));
        payload[payload.AsSpan().IndexOf("strange"u8)] = 0xff;
        var stored = new StreamBuilder()
            .Begin(payload: payload)
            .Object(1, [])
            .Write(1, 0, new byte[512])
            .End()
            .ToArray();
        var token = new StreamSplice(Edits.Boundaries(stored)[1]).Token;
        using var rest = new MemoryStream();
        var refused = await Assert.ThrowsAsync<StreamCombinationException>(() =>
            new ReceiveResume(token).WriteAsync(new MemoryStream(stored), rest, TestContext.Current.CancellationToken)
        );
        Assert.Contains("cannot be written again", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, rest.Length);
    }

    [Fact]
    public void A_refusal_quotes_little_of_its_input()
    {
        var list = Packing.Xdr((new string('a', 5000) + "\e[31m", 1UL));
        BinaryPrimitives.WriteInt32BigEndian(list.AsSpan(list.Length - 20), -1); // the count of the only pair
        string[] messages =
        [
            Verifying.Refused(new StreamBuilder().Begin(payload: list).ToArray()).Message,
            Assert.Throws<FormatException>(() => ResumeToken.Parse(new string('1', 5000) + "-0-0-00")).Message,
            Assert
                .Throws<FormatException>(() => ResumeToken.Parse("1-\e[31m" + new string('1', 5000) + "-0-00"))
                .Message,
        ];
        foreach (var message in messages)
        {
            Assert.InRange(message.Length, 1, 300);
            Assert.DoesNotContain(message, char.IsControl);
        }
    }

    private static StreamBuilder Ordered() => new StreamBuilder().Begin().Object(1, []).Object(5, []).End();

    private static StreamBuilder Disordered() =>
        new StreamBuilder().Begin().Object(1, []).Object(5, []).Object(3, []).Write(5, 0, new byte[512]).End();
}
