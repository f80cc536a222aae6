using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class DamagedStreamTests
{
    private static byte[][] Streams =>
        [StreamBuilder.Small().ToArray(), StreamBuilder.SmallPackage().ToArray(), StreamBuilder.SmallRaw().ToArray()];

    /// <summary>
    /// The format covers every byte: BEGIN and its payload are covered by the next record's checksum, headers and
    /// payloads by their own and the next one, and a package's two ENDs, which have none, must be zeros except for the
    /// compared fields.
    /// </summary>
    [Fact]
    public void A_flip_of_any_byte_is_refused()
    {
        foreach (var stream in Streams)
        {
            for (var at = 0; at < stream.Length; at++)
            {
                foreach (var flip in (byte[])[0x01, 0x80, 0xff])
                {
                    stream[at] ^= flip;
                    Assert.True(IsRefused(stream), $"byte {at} flipped by {flip:x2} went unnoticed");
                    stream[at] ^= flip;
                }
            }
        }
    }

    [Fact]
    public void A_stream_cut_anywhere_ends_early_at_the_record_that_is_incomplete()
    {
        foreach (var built in (StreamBuilder[])[StreamBuilder.Small(), StreamBuilder.SmallPackage()])
        {
            var stream = built.ToArray();
            var (index, recordStart) = (0, 0);
            for (var length = 0; length < stream.Length; length++)
            {
                if (length == recordStart + built.Records[index].Length)
                    recordStart += built.Records[index++].Length;
                var fault = Verifying.Refused(stream[..length]);
                Assert.Equal(
                    (SendStreamError.EndsEarly, index, length),
                    (fault.Error, fault.RecordIndex, fault.StreamOffset)
                );
            }
        }
    }

    [Fact]
    public void The_message_of_a_cut_stream_says_what_is_missing()
    {
        var stream = StreamBuilder.Small().ToArray();
        Assert.Contains("the input is empty", Verifying.Refused([]).Message);
        Assert.Contains(
            "312 bytes, of which 100 arrived (record 0, counted from 0, at stream byte 100)",
            Verifying.Refused(stream[..100]).Message
        );
        Assert.Contains("expected END at the latest (record 1", Verifying.Refused(stream[..312]).Message);
        Assert.Contains(
            "OBJECT has a payload of 8 bytes, of which 3 arrived",
            Verifying.Refused(stream[..(3 * 312 + 3)]).Message
        );
    }

    [Fact]
    public void A_dropped_record_is_refused()
    {
        var records = StreamBuilder.Small().Records;
        for (var dropped = 0; dropped < records.Count; dropped++)
            Assert.True(
                IsRefused(Joined(records.Where((_, index) => index != dropped))),
                $"record {dropped} was dropped unnoticed"
            );
    }

    [Fact]
    public void A_doubled_record_is_refused()
    {
        var records = StreamBuilder.Small().Records;
        for (var doubled = 0; doubled < records.Count; doubled++)
        {
            var stream = Joined(
                records.SelectMany((record, index) => Enumerable.Repeat(record, index == doubled ? 2 : 1))
            );
            Assert.True(IsRefused(stream), $"record {doubled} was doubled unnoticed");
        }
    }

    [Fact]
    public void Two_swapped_records_are_refused()
    {
        var records = StreamBuilder.Small().Records.ToArray();
        for (var first = 0; first + 1 < records.Length; first++)
        {
            (records[first], records[first + 1]) = (records[first + 1], records[first]);
            Assert.True(IsRefused(Joined(records)), $"records {first} and {first + 1} were swapped unnoticed");
            (records[first], records[first + 1]) = (records[first + 1], records[first]);
        }
    }

    [Fact]
    public void A_snapshot_dropped_from_inside_a_package_cannot_be_seen()
    {
        // The format has no count: a package's END has no fields. See StreamInfo.Snapshots.
        var records = StreamBuilder.SmallPackage().Records;
        Assert.Single(Verifying.Verify(Joined(records.Where((_, index) => index is < 2 or > 5))).Snapshots);
    }

    [Fact]
    public void A_package_closed_inside_a_snapshot_ends_early()
    {
        var records = StreamBuilder.SmallPackage().Records;
        var fault = Verifying.Refused(Joined(records.Where((_, index) => index != 8)));
        Assert.Equal((SendStreamError.EndsEarly, 8L), (fault.Error, fault.RecordIndex));
        Assert.Contains("tank/data@next", fault.Message);
    }

    [Fact]
    public void Bytes_after_the_end_are_refused_with_their_offset()
    {
        foreach (var stream in Streams)
        {
            var fault = Verifying.Refused([.. stream, 0]);
            Assert.Equal((SendStreamError.DataAfterEnd, stream.Length), (fault.Error, fault.StreamOffset));
            Verifying.AssertRefused(SendStreamError.DataAfterEnd, [.. stream, .. stream]);
        }
    }

    [Theory]
    [InlineData("cannot open 'tank/data@one': dataset does not exist\n")]
    [InlineData("x")]
    public void Text_is_not_a_send_stream(string text) =>
        Verifying.AssertRefused(SendStreamError.NotASendStream, System.Text.Encoding.UTF8.GetBytes(text));

    [Fact]
    public void Compressed_streams_are_reported_as_such()
    {
        Assert.Contains("gzip", Verifying.Refused([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).Message);
        Assert.Contains("zstd", Verifying.Refused([0x28, 0xb5, 0x2f, 0xfd, 0, 0]).Message);
    }

    [Fact]
    public void Zeros_are_not_a_send_stream() =>
        Verifying.AssertRefused(SendStreamError.NotASendStream, new byte[4096]);

    [Fact]
    public void A_stream_of_a_big_endian_machine_is_reported_as_such()
    {
        var stream = StreamBuilder.Small().ToArray();
        Array.Reverse(stream, 8, 8);
        Verifying.AssertRefused(SendStreamError.BigEndian, stream);
        Verifying.AssertRefused(SendStreamError.BigEndian, stream[..20]);
        Verifying.AssertRefused(SendStreamError.EndsEarly, stream[..14]);

        var package = StreamBuilder.SmallPackage();
        var start = package.Records[0].Length + 312 + 8;
        var inside = package.ToArray();
        Array.Reverse(inside, start, 8);
        Verifying.AssertRefused(SendStreamError.BigEndian, inside);
    }

    [Fact]
    public void A_record_without_checksum_is_refused()
    {
        // zfs receive reads all zeros as "not checked", for streams older than 2015; no later ZFS writes them.
        var stream = StreamBuilder.Small().ToArray();
        Array.Clear(stream, 312 + 280, 32);
        var fault = Verifying.Refused(stream);
        Assert.Equal(
            (SendStreamError.ChecksumMismatch, 1L, 312L),
            (fault.Error, fault.RecordIndex, fault.StreamOffset)
        );
    }

    [Fact]
    public void An_end_with_another_checksum_is_refused() =>
        Verifying.AssertRefused(
            SendStreamError.ChecksumMismatch,
            new StreamBuilder().Begin().End(fields => fields[0] ^= 1).ToArray()
        );

    [Fact]
    public void A_record_of_another_snapshot_is_refused()
    {
        var fault = Verifying.Refused(
            new StreamBuilder().Begin().Object(1, [], change: fields => fields[32] ^= 1).End().ToArray()
        );
        Assert.Equal((SendStreamError.GuidMismatch, 1L), (fault.Error, fault.RecordIndex));
        Verifying.AssertRefused(
            SendStreamError.GuidMismatch,
            new StreamBuilder().Begin().End(fields => fields[32] ^= 1).ToArray()
        );
    }

    [Fact]
    public void A_record_of_an_unknown_type_is_refused() =>
        AssertRefused(
            SendStreamError.UnknownRecordType,
            new StreamBuilder().Begin().Record((RecordType)11, 0, [], _ => { }).End()
        );

    [Fact]
    public void Records_where_none_are_allowed_are_refused()
    {
        var block = new byte[512];
        AssertRefused(SendStreamError.UnexpectedRecord, new StreamBuilder().Begin().Begin().End());
        AssertRefused(
            SendStreamError.UnexpectedRecord,
            new StreamBuilder().PackageBegin().Begin().End().PackageClose()
        );
        AssertRefused(
            SendStreamError.UnexpectedRecord,
            new StreamBuilder().PackageBegin().PackageEnd().Free(1, 512).PackageClose()
        );
        AssertRefused(
            SendStreamError.UnexpectedRecord,
            new StreamBuilder().PackageBegin().PackageEnd().PackageBegin().PackageEnd()
        );
        AssertRefused(
            SendStreamError.UnexpectedRecord,
            new StreamBuilder().Begin().Write(2, 0, block).Write(1, 0, block).End()
        );
        AssertRefused(
            SendStreamError.UnexpectedRecord,
            new StreamBuilder().Begin().Write(2, 512, block).Write(2, 0, block).End()
        );
        Verifying.AssertRefused(SendStreamError.NotASendStream, StreamBuilder.Small().ToArray()[312..]);
    }

    private static void AssertRefused(SendStreamError fault, StreamBuilder built) =>
        Verifying.AssertRefused(fault, built.ToArray());

    private static bool IsRefused(byte[] stream)
    {
        try
        {
            Verifying.Verify(stream);
            return false;
        }
        catch (SendStreamException)
        {
            return true;
        }
    }

    private static byte[] Joined(IEnumerable<byte[]> records) => [.. records.SelectMany(record => record)];
}
