using CsCheck;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class SendStreamVerifierTests
{
    [Fact]
    public async Task One_call_verifies_a_whole_stream()
    {
        var stream = StreamBuilder.Small().ToArray();
        var cancellation = TestContext.Current.CancellationToken;
        using var source = new MemoryStream(stream);
        var info = await SendStreamVerifier.VerifyAsync(source, cancellation);
        Assert.Equal((StreamKind.Full, stream.Length), (info.Kind, info.Length));
        Assert.True(source.CanRead);
        var refused = await Assert.ThrowsAsync<SendStreamException>(() =>
            SendStreamVerifier.VerifyAsync(new MemoryStream(stream[..^1]), cancellation)
        );
        Assert.Equal(SendStreamError.EndsEarly, refused.Error);
    }

    [Fact]
    public void A_full_stream_gives_its_facts()
    {
        var built = StreamBuilder.Small();
        var facts = Verifying.Verify(built.ToArray());

        Assert.Equal(StreamKind.Full, facts.Kind);
        Assert.Equal(built.ToArray().Length, facts.Length);
        Assert.Equal(built.Records.Count, facts.RecordCount);
        Assert.Equal([facts.Begin], facts.Snapshots);
        Assert.Equal(StreamBuilder.Guid, facts.Begin.SnapshotGuid);
        Assert.Equal(0UL, facts.Begin.BaseGuid);
        Assert.Equal("tank/data@one", facts.Begin.FullSnapshotName);
        Assert.Equal("tank/data", facts.Begin.DatasetName);
        Assert.Equal("one", facts.Begin.SnapshotName);
        Assert.Equal(DatasetType.Filesystem, facts.Begin.Type);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000), facts.Begin.CreationTime);
        Assert.False(facts.Begin.IsIncremental || facts.Begin.IsRaw || facts.Begin.IsClone || facts.Begin.IsResumed);
        Assert.Null(facts.Begin.ResumePoint);
        Assert.Equal(2, facts.Records[RecordType.Write]);
        Assert.Equal(2, facts.Records[RecordType.Free]);
        Assert.DoesNotContain(RecordType.Redact, facts.Records.Keys);
        Assert.Equal(8 + 512 + 512 + 8 + 64, facts.PayloadBytes);
        Assert.Equal(512 + 512 + 1024, facts.LogicalBytes);
        Assert.Equal(Fletcher4.ReadFrom(built.Records[^1].AsSpan(8)), facts.EndChecksum);
    }

    [Fact]
    public void A_package_yields_all_its_snapshots()
    {
        var facts = Verifying.Verify(StreamBuilder.SmallPackage().ToArray());
        Assert.Equal(StreamKind.Package, facts.Kind);
        Assert.Equal([7, 8], facts.Snapshots.Select(snapshot => snapshot.SnapshotGuid));
        Assert.Equal([0, 7], facts.Snapshots.Select(snapshot => snapshot.BaseGuid));
        Assert.Equal(DatasetType.None, facts.Begin.Type);
        Assert.Equal(3, facts.Records[RecordType.Begin]);
        Assert.Equal(4, facts.Records[RecordType.End]);
    }

    [Fact]
    public void A_package_may_be_empty_and_without_a_list()
    {
        var facts = Verifying.Verify(
            new StreamBuilder().PackageBegin(payload: []).PackageEnd().PackageClose().ToArray()
        );
        Assert.Empty(facts.Snapshots);
        Assert.True(facts.EndChecksum.IsZero);
    }

    [Fact]
    public void A_raw_stream_is_read() => Assert.True(Verifying.Verify(StreamBuilder.SmallRaw().ToArray()).Begin.IsRaw);

    [Fact]
    public void An_incremental_a_clone_and_a_volume_are_distinguished()
    {
        var built = new StreamBuilder()
            .Begin(baseGuid: 3, flags: 13, change: fields => StreamBuilder.Put(fields, 24, 3U))
            .End();
        var facts = Verifying.Verify(built.ToArray());
        Assert.Equal(StreamKind.Incremental, facts.Kind);
        Assert.True(facts.Begin.IsClone);
        Assert.Equal(DatasetType.Volume, facts.Begin.Type);
    }

    [Fact]
    public void A_resumed_stream_names_where_it_resumes()
    {
        var payload = Packing.Native(("resume_object", 128UL), ("resume_offset", 1048576UL));
        var facts = Verifying.Verify(
            new StreamBuilder().Begin(features: StreamFeatures.Resuming, payload: payload).End().ToArray()
        );
        Assert.True(facts.Begin.IsResumed);
        Assert.Equal(new ResumePoint(128UL, 1048576UL), facts.Begin.ResumePoint);
    }

    [Fact]
    public void Deduplicated_and_redacted_streams_are_read()
    {
        var stream = new StreamBuilder()
            .Begin(
                features: StreamFeatures.Dedup | StreamFeatures.DedupProps | StreamFeatures.Redacted,
                payload: Packing.Native(("redact_snaps", new ulong[] { 4 }))
            )
            .WriteByRef(1, 0, 512)
            .Redact(2, 0, 4096)
            .End();
        var facts = Verifying.Verify(stream.ToArray());
        Assert.Equal(1, facts.Records[RecordType.WriteByRef]);
        Assert.Equal(1, facts.Records[RecordType.Redact]);
    }

    [Theory]
    [InlineData("tank/data@--head--", "tank/data", "--head--")]
    [InlineData("tank/data", "tank/data", "")]
    [InlineData("tank/dätä@ø", "tank/dätä", "ø")]
    public void Names_are_split_at_the_at_sign(string name, string dataset, string snapshot)
    {
        var begin = Verifying.Verify(new StreamBuilder().Begin(name: name).End().ToArray()).Begin;
        Assert.Equal((dataset, snapshot), (begin.DatasetName, begin.SnapshotName));
    }

    [Fact]
    public void The_result_does_not_depend_on_how_the_bytes_are_sliced()
    {
        foreach (
            var built in (StreamBuilder[])
                [StreamBuilder.Small(), StreamBuilder.SmallPackage(), StreamBuilder.SmallRaw()]
        )
        {
            var stream = built.ToArray();
            var whole = Verifying.Text(Verifying.Verify(stream));
            Gen.Select(Gen.Int[1, 700], Gen.Int)
                .CheckDraws(
                    (most, seed) =>
                        Assert.Equal(whole, Verifying.Text(Verifying.VerifySliced(stream, most, new Random(seed))))
                );
        }
    }

    [Fact]
    public void The_begin_is_known_before_the_end()
    {
        var records = StreamBuilder.Small().Records;
        var verifier = new SendStreamVerifier();
        verifier.Append(records[0].AsSpan(0, 300));
        Assert.Null(verifier.Begin);
        verifier.Append(records[0].AsSpan(300));
        Assert.Equal("tank/data@one", verifier.Begin?.FullSnapshotName);
        Assert.False(verifier.IsComplete);
        foreach (var record in records.Skip(1))
            verifier.Append(record);
        Assert.True(verifier.IsComplete);
        Assert.Equal(records.Sum(record => record.Length), verifier.Length);
    }

    [Fact]
    public void After_a_fault_every_call_throws_the_same()
    {
        var verifier = new SendStreamVerifier();
        var fault = Assert.Throws<SendStreamException>(() => verifier.Append(new byte[312]));
        Assert.Same(fault, Assert.Throws<SendStreamException>(() => verifier.Append([])));
        Assert.Same(fault, Assert.Throws<SendStreamException>(() => verifier.Complete()));
        Assert.Equal(SendStreamError.NotASendStream, fault.Error);
    }
}
