using System.Security.Cryptography;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>Streams of a real ZFS through the library.</summary>
public sealed class RecordedStreamTests
{
    private static readonly Dictionary<RecordType, string> Names = new()
    {
        [RecordType.Begin] = "BEGIN",
        [RecordType.Object] = "OBJECT",
        [RecordType.FreeObjects] = "FREEOBJECTS",
        [RecordType.Write] = "WRITE",
        [RecordType.Free] = "FREE",
        [RecordType.End] = "END",
        [RecordType.WriteByRef] = "WRITE_BYREF",
        [RecordType.Spill] = "SPILL",
        [RecordType.WriteEmbedded] = "WRITE_EMBEDDED",
        [RecordType.ObjectRange] = "OBJECT_RANGE",
        [RecordType.Redact] = "REDACT",
    };

    public static TheoryData<string> WholeStreams =>
        [.. RecordedStream.WholeOfAllVersions.Select(stream => stream.File)];

    public static TheoryData<string> CutStreams =>
        [.. RecordedStream.All.Values.Where(stream => !stream.IsWhole).Select(stream => stream.File)];

    [Theory]
    [MemberData(nameof(WholeStreams))]
    public void It_verifies_with_the_recorded_facts(string file)
    {
        var recorded = RecordedStream.All[file];
        Assert.Equal(recorded.Sha256, Convert.ToHexStringLower(SHA256.HashData(recorded.Bytes)));
        var facts = Verifying.Verify(recorded.Bytes);

        Assert.Equal(recorded.Length, facts.Length);
        Assert.Equal(recorded.TotalRecords, facts.RecordCount);
        Assert.Equal(recorded.Records, facts.Records.ToDictionary(count => Names[count.Key], count => count.Value));
        Assert.Equal(recorded.Kind, facts.Kind.ToString().ToLowerInvariant());
        Assert.Equal(recorded.Features, (ulong)facts.Snapshots[0].Features);
        Assert.Equal(recorded.Type, facts.Snapshots[0].Type.ToString().ToLowerInvariant());
        Assert.Equal(recorded.Snapshot, facts.Begin.FullSnapshotName);
        Assert.Equal(recorded.IsResumed, facts.Begin.IsResumed);
        Assert.Equal(recorded.IsResumed, facts.Begin.ResumePoint is not null);
        if (facts.Kind == StreamKind.Package)
        {
            // The order of the datasets in a package is not defined.
            Assert.Equal(
                recorded.Contains.Order(),
                facts.Snapshots.Select(snapshot => (snapshot.FullSnapshotName, snapshot.SnapshotGuid)).Order()
            );
            return;
        }

        Assert.Equal(recorded.Guid, facts.Begin.SnapshotGuid);
        Assert.Equal(recorded.BaseGuid ?? 0, facts.Begin.BaseGuid);
    }

    [Theory]
    [MemberData(nameof(CutStreams))]
    public void The_stream_of_a_partial_receive_is_refused(string file)
    {
        // Its records carry the GUID of the receiving dataset, not that of the BEGIN; and it has no END.
        var fault = Verifying.Refused(RecordedStream.All[file].Bytes).Error;
        Assert.True(fault is SendStreamError.GuidMismatch or SendStreamError.EndsEarly, fault.ToString());
    }

    [Theory]
    [MemberData(nameof(WholeStreams))]
    public void The_result_does_not_depend_on_how_its_bytes_are_sliced(string file)
    {
        var stream = RecordedStream.All[file].Bytes;
        var whole = Verifying.Text(Verifying.Verify(stream));
        foreach (var draw in RandomTest.Draws(few: 1, many: 20))
        {
            foreach (var most in (int[])[1, 13, 312, 5000, 200_000])
                Assert.Equal(whole, Verifying.Text(Verifying.VerifySliced(stream, most, draw.Random)));
        }
    }

    [Theory]
    [MemberData(nameof(WholeStreams))]
    public void A_truncated_stream_ends_early_at_the_incomplete_record(string file)
    {
        var random = RandomTest.Random();
        var stream = RecordedStream.All[file].Bytes;
        var boundaries = Boundaries(stream);

        // A long stream has too many boundaries to test all: the stream is verified from its start each time.
        var cuts = boundaries
            .SkipLast(1)
            .Concat(Enumerable.Range(0, 100).Select(_ => random.NextInt64(stream.Length)))
            .ToArray();
        random.Shuffle(cuts);
        foreach (var cut in RandomTest.IsSoak ? cuts : cuts.Take(Rounds(stream, 100)))
        {
            var fault = Verifying.Refused(stream[..(int)cut]);
            var index = boundaries.Count(end => end <= cut) - 1;
            Assert.Equal((SendStreamError.EndsEarly, index, cut), (fault.Error, fault.RecordIndex, fault.StreamOffset));
        }
    }

    [Theory]
    [MemberData(nameof(WholeStreams))]
    public void Stopped_and_resumed_at_every_boundary_it_has_the_same_result(string file)
    {
        var stream = RecordedStream.All[file].Bytes;
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> input = stream;
        ParserEvent found;
        do
        {
            found = parser.Read(ref input, out _);
            if (found == ParserEvent.EndOfRecord)
                parser = SendStreamParser.Resume(parser.State);
        } while (found != ParserEvent.EndOfStream);

        Assert.Equal((stream.Length, RecordedStream.All[file].TotalRecords), (parser.StreamOffset, parser.RecordCount));
        Assert.Equal(Verifying.Verify(stream).Begin, parser.Begin);
    }

    [Theory]
    [MemberData(nameof(WholeStreams))]
    public void Mutated_it_throws_nothing_but_faults(string file)
    {
        var stream = RecordedStream.All[file].Bytes;
        foreach (var draw in RandomTest.Draws(Rounds(stream, 20), many: 100 * Rounds(stream, 50)))
            Mutations.AssertOnlyFaults(Mutations.Mutate(stream, draw.Random), $"{draw}, {file}");
    }

    [Theory]
    [MemberData(nameof(WholeStreams))]
    public void A_flip_is_refused(string file)
    {
        var stream = (byte[])RecordedStream.All[file].Bytes.Clone();
        foreach (var draw in RandomTest.Draws(Rounds(stream, 40), many: 100 * Rounds(stream, 100)))
        {
            var (at, flip) = (draw.Random.Next(stream.Length), (byte)draw.Random.Next(1, 256));
            stream[at] ^= flip;
            Assert.Throws<SendStreamException>(() => Verifying.Verify(stream));
            stream[at] ^= flip;
        }
    }

    /// <summary>
    /// How often a stream may be verified in one test, so that long ones take no longer than short ones.
    /// </summary>
    private static int Rounds(byte[] stream, int most) => Math.Clamp(20_000_000 / stream.Length, 3, most);

    /// <summary>Where records end; the first is 0, the last the length.</summary>
    private static List<long> Boundaries(byte[] stream)
    {
        List<long> boundaries = [0];
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> input = stream;
        for (
            var found = parser.Read(ref input, out _);
            found != ParserEvent.EndOfStream;
            found = parser.Read(ref input, out _)
        )
        {
            if (found == ParserEvent.EndOfRecord)
                boundaries.Add(parser.StreamOffset);
        }

        return boundaries;
    }
}
