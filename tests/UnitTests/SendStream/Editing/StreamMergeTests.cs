using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Merging;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>
/// Merging without ZFS: against a model of <c>zfs receive</c>, and with recorded streams. The system tests use real
/// ZFS.
/// </summary>
public sealed class StreamMergeTests
{
    private const int Few = 100;
    private const int Many = 20_000;

    public static TheoryData<string> SingleStreams => [.. Edits.Single.Select(stream => stream.File)];

    /// <summary>Chains of recorded streams, their names joined by spaces.</summary>
    public static TheoryData<string> RecordedChains =>
        [
            "full incremental-1 incremental-2",
            "incremental-1 incremental-2",
            "raw raw-incremental",
            "spill spill-incremental",
            "large-dnode large-dnode-incremental",
            "volume volume-incremental",
            "large-compressed-embedded large-compressed-embedded-incremental",
        ];

    [Theory]
    [MemberData(nameof(SingleStreams))]
    public async Task One_stream_stays_as_it_is(string file)
    {
        var stream = RecordedStream.All[file].Bytes;
        Assert.Equal(stream, await Edits.MergeAsync(stream));
    }

    [Theory]
    [MemberData(nameof(RecordedChains))]
    public async Task A_recorded_chain_becomes_one_stream_of_its_newest_snapshot(string names)
    {
        var streams = names.Split(' ').Select(name => RecordedStream.All[name + ".zfs.gz"].Bytes).ToArray();
        var (first, last) = (Verifying.Verify(streams[0]).Begin, Verifying.Verify(streams[^1]).Begin);

        var merged = await Edits.MergeAsync(streams);

        var facts = Verifying.Verify(merged);
        Assert.Equal(
            (last.SnapshotGuid, last.FullSnapshotName, last.CreationTime, first.BaseGuid),
            (facts.Begin.SnapshotGuid, facts.Begin.FullSnapshotName, facts.Begin.CreationTime, facts.Begin.BaseGuid)
        );
        Assert.Equal(first.Features | last.Features, facts.Begin.Features);
        Assert.InRange(merged.Length, 1, streams.Sum(stream => stream.Length));
    }

    [Fact]
    public async Task What_is_received_of_a_merge_is_what_is_received_of_the_chain()
    {
        foreach (var draw in RandomTest.Draws(Few, Many))
        {
            var chain = RandomChain.Make(draw.Random, length: draw.Random.Next(2, 7));
            var merged = await Edits.MergeAsync([.. chain.Streams]);
            AssertReceived(chain.Expected, draw, merged);
            // Even by a receiver that would lose blocks of the chain: it has no object that it could mistake.
            Assert.Equal(chain.Expected, Received(assumesOneSlot: true, merged));
        }
    }

    [Fact]
    public async Task Incrementals_become_one_incremental()
    {
        foreach (var draw in RandomTest.Draws(Few, Many))
        {
            var random = draw.Random;
            var chain = RandomChain.Make(random, length: random.Next(3, 8));
            var from = random.Next(1, chain.Streams.Count - 1);
            var to = random.Next(from + 1, chain.Streams.Count);
            var merged = await Edits.MergeAsync([.. chain.Streams[from..(to + 1)]]);
            byte[][] shorter = [.. chain.Streams[..from], merged, .. chain.Streams[(to + 1)..]];
            AssertReceived(chain.Expected, draw, shorter);
            if (Received(assumesOneSlot: true, [.. chain.Streams]) == chain.Expected)
                Assert.Equal(chain.Expected, Received(assumesOneSlot: true, shorter));
        }
    }

    [Fact]
    public async Task Merges_can_be_merged()
    {
        foreach (var draw in RandomTest.Draws(Few, Many))
        {
            var random = draw.Random;
            var streams = RandomChain.Make(random, length: random.Next(3, 9));
            var expected = streams.Expected;
            var left = streams.Streams;
            while (left.Count > 1)
            {
                var at = random.Next(left.Count - 1);
                left = [.. left[..at], await Edits.MergeAsync(left[at], left[at + 1]), .. left[(at + 2)..]];
            }

            AssertReceived(expected, draw, left[0]);
        }
    }

    [Fact]
    public async Task Holes_of_a_recreated_object_stay_when_a_later_object_has_its_old_dnode()
    {
        // zfs receive frees the blocks itself if block pointers are lost. The second stream loses two, the third has
        // them again: a receiver of these two as one stream sees nothing of it.
        var first = new StreamBuilder()
            .Begin(1)
            .Object(1, [], change: PlainBonus)
            .Free(1, ulong.MaxValue, 1536)
            .Write(1, 0, StreamBuilder.Noise(512, 1))
            .Write(1, 512, StreamBuilder.Noise(512, 2))
            .Write(1, 1024, StreamBuilder.Noise(512, 3))
            .End();
        var recreated = new StreamBuilder()
            .Begin(2, 1)
            .Object(1, new byte[200], change: PlainBonus)
            .Free(1, ulong.MaxValue, 1024)
            .Write(1, 0, StreamBuilder.Noise(512, 4))
            .Free(1, 512, 512)
            .End();
        var last = new StreamBuilder()
            .Begin(3, 2)
            .Object(1, [], change: PlainBonus)
            .Free(1, ulong.MaxValue, 2048)
            .Write(1, 1536, StreamBuilder.Noise(512, 5))
            .End();
        var chain = new ModelReceiver();
        foreach (var stream in (StreamBuilder[])[first, recreated, last])
            chain.Receive(stream.ToArray());

        var merged = await Edits.MergeAsync(recreated.ToArray(), last.ToArray());

        var receiver = new ModelReceiver();
        receiver.Receive(first.ToArray());
        receiver.Receive(merged);
        Assert.Equal([0UL, 1536UL], receiver.Objects[1].Blocks.Keys);
        Assert.Equal(chain.ToString(), receiver.ToString());

        static void PlainBonus(byte[] fields) => StreamBuilder.Put(fields, 12, 0U);
    }

    [Fact]
    public async Task Blocks_of_a_large_dnode_stay_while_its_bonus_leaves_room_for_its_pointers()
    {
        // OpenZFS before ffde77051c counted the room of a small dnode, and freed what the incremental does not repeat.
        var first = new StreamBuilder()
            .Begin(1)
            .Object(1, [], change: Large)
            .Free(1, ulong.MaxValue, 1024)
            .Write(1, 0, StreamBuilder.Noise(512, 1))
            .Write(1, 512, StreamBuilder.Noise(512, 2))
            .End();
        var second = new StreamBuilder()
            .Begin(2, 1)
            .Object(1, new byte[264], change: Large)
            .Write(1, 0, StreamBuilder.Noise(512, 3))
            .End();

        var merged = await Edits.MergeAsync(first.ToArray(), second.ToArray());

        var receiver = new ModelReceiver();
        receiver.Receive(merged);
        Assert.Equal(
            [ModelObject.Digest(StreamBuilder.Noise(512, 3)), ModelObject.Digest(StreamBuilder.Noise(512, 2))],
            receiver.Objects[1].Blocks.Values
        );

        static void Large(byte[] fields)
        {
            StreamBuilder.Put(fields, 12, 17U); // the bonus of a file system of a version before 5
            fields[26] = 2;
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_spill_block_stays_even_if_its_OBJECT_does_not_announce_it(bool afterData)
    {
        // ZFS always announces them (dmu_send.c, dump_dnode). A receiver accepts such a stream: the OBJECT removes the
        // block that the object had, the SPILL adds the new one. A merge must lose no attributes that it keeps.
        var first = new StreamBuilder().Begin(1).Object(1, [], change: Announced).Spill(1, StreamBuilder.Noise(512, 1));
        var second = new StreamBuilder().Begin(2, 1).Object(1, []);
        second = afterData
            ? second.Write(1, 0, StreamBuilder.Noise(512, 2)).Spill(1, StreamBuilder.Noise(512, 3))
            : second.Spill(1, StreamBuilder.Noise(512, 3)).Write(1, 0, StreamBuilder.Noise(512, 2));
        byte[][] streams = [first.End().ToArray(), second.End().ToArray()];

        var merged = await Edits.MergeAsync(streams);

        var receiver = new ModelReceiver();
        receiver.Receive(merged);
        Assert.Equal(StreamBuilder.Noise(512, 3), receiver.Objects[1].Spill);
        Assert.Equal(Received(assumesOneSlot: false, streams), receiver.ToString());

        static void Announced(byte[] fields) => fields[27] = 4;
    }

    [Fact]
    public async Task Streams_that_form_no_chain_are_refused_before_anything_is_written()
    {
        var bytes = (string name) => RecordedStream.All[name + ".zfs.gz"].Bytes;
        (byte[][] Streams, string Reason)[] cases =
        [
            ([bytes("full"), bytes("incremental-2")], "is incremental to the snapshot with GUID"),
            ([bytes("incremental-1"), bytes("full")], "is a full stream"),
            ([bytes("full"), bytes("full")], "is a full stream"),
            ([bytes("package")], "is a package"),
            ([bytes("full"), bytes("resumed-incremental")], "is the rest of an interrupted stream"),
            ([bytes("redacted")], "is redacted"),
            ([bytes("full"), bytes("clone")], "clone"),
            ([Plain(1, 0).ToArray(), Plain(2, 1, volume: true).ToArray()], "is of a Volume"),
            ([Plain(1, 0, StreamFeatures.LargeBlocks).ToArray(), Plain(2, 1).ToArray()], "has no large blocks"),
            ([Plain(1, 0, StreamFeatures.Dedup).ToArray()], "is deduplicated"),
            ([Plain(1, 0, flags: 4).ToArray()], "ZFS before 0.8"),
            ([Plain(1, 1).ToArray()], "ends at the snapshot"),
            ([Plain(2, 1).ToArray(), Plain(1, 2).ToArray()], "ends at the snapshot"),
            ([Plain(1, 0).ToArray(), Raw(2, 1, from: 5, to: 6).ToArray()], "is raw, unlike"),
            ([Raw(1, 0, from: 0, to: 5).ToArray(), Raw(2, 1, from: 4, to: 6).ToArray()], "IV set"),
            ([Raw(1, 0, from: 0, to: 5).ToArray(), Raw(2, 1, from: 5, to: 6, key: 2).ToArray()], "another master key"),
        ];
        foreach (var (streams, reason) in cases)
        {
            using var written = new MemoryStream();
            var refused = await Assert.ThrowsAsync<StreamCombinationException>(() =>
                StreamMerge.MergeAsync(
                    [.. streams.Select(stream => new MemoryStream(stream))],
                    written,
                    TestContext.Current.CancellationToken
                )
            );
            Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
            Assert.Equal(0, written.Length);
        }

        await Assert.ThrowsAsync<ArgumentException>(() => Edits.MergeAsync());
    }

    [Fact]
    public async Task A_damaged_stream_never_produces_a_complete_one()
    {
        var random = new Random(1);
        var streams = RandomChain.Make(random, 3).Streams;
        for (var round = 0; round < 300; round++)
        {
            var damaged = streams.ToArray();
            var at = random.Next(damaged.Length);
            damaged[at] = Mutations.Mutate(damaged[at], random);
            if (damaged[at].AsSpan().SequenceEqual(streams[at]))
                continue;
            using var written = new MemoryStream();
            var failure = await Record.ExceptionAsync(() =>
                StreamMerge.MergeAsync(
                    [.. damaged.Select(stream => new MemoryStream(stream))],
                    written,
                    TestContext.Current.CancellationToken
                )
            );
            Assert.True(failure is SendStreamException or StreamCombinationException, $"{round}: {failure}");
            if (written.Length > 0)
                Assert.Throws<SendStreamException>(() => Verifying.Verify(written.ToArray()));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_raw_merge_goes_on_from_the_first_streams_initialization_vectors(bool xdr)
    {
        var merged = await Edits.MergeAsync(
            Raw(2, 1, from: 5, to: 6, xdr: xdr).ToArray(),
            Raw(3, 2, from: 6, to: 7, xdr: xdr).ToArray()
        );
        using var reader = new SendStreamReader(new MemoryStream(merged));
        while (reader.ReadRecord()) { }

        var keys = reader.Parser.BeginPayload!.GetList("crypt_keydata")!;
        Assert.Equal((5UL, 7UL), (keys.GetUInt64("from_ivset_guid"), keys.GetUInt64("to_ivset_guid")));
        if (xdr) // as OpenZFS after 2.4 packs it: what cannot be edited must survive as well
            Assert.Equal([9, 8, 7], keys.GetBytes("DSL_CRYPTO_MASTER_KEY_1")!.Value.ToArray());
    }

    [Fact]
    public async Task Objects_that_were_encrypted_together_must_come_from_one_stream()
    {
        var older = Raw(1, 0, from: 0, to: 5, objects: [33, 34]);
        var newer = Raw(2, 1, from: 5, to: 6, objects: [33]);
        var refused = await Assert.ThrowsAsync<SendStreamException>(() =>
            Edits.MergeAsync(older.ToArray(), newer.ToArray())
        );
        Assert.Contains("encrypted together", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1024)]
    [InlineData(512, 1024)]
    public async Task A_block_that_is_replaced_in_part_is_refused(ulong offset, int oldSize)
    {
        var older = new StreamBuilder().Begin(1).Object(1, []).Write(1, 0, new byte[oldSize]).End();
        var newer = new StreamBuilder().Begin(2, 1).Object(1, []).Write(1, offset, new byte[512]).End();
        var refused = await Assert.ThrowsAsync<SendStreamException>(() =>
            Edits.MergeAsync(older.ToArray(), newer.ToArray())
        );
        Assert.Contains("replaced in part", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Records_in_an_order_that_ZFS_does_not_send_are_refused()
    {
        StreamBuilder[] disordered =
        [
            new StreamBuilder().Begin(1).Object(2, []).Object(1, []).End(),
            new StreamBuilder().Begin(1).Object(1, []).Object(1, []).End(),
            new StreamBuilder().Begin(1).Object(1, []).Object(2, []).Write(1, 0, new byte[512]).End(),
            new StreamBuilder().Begin(1).Write(1, 0, new byte[512]).End(),
            new StreamBuilder().Begin(1).Object(1, []).Free(1, 512, 1024).Free(1, 512, 0).End(),
            new StreamBuilder()
                .Begin(1)
                .Object(1, [])
                .Write(1, 0, new byte[512])
                .Spill(1, new byte[512])
                .Write(1, 512, new byte[512])
                .End(),
            new StreamBuilder().Begin(1).FreeObjects(5, 5).Object(7, []).End(),
            new StreamBuilder().Begin(1).FreeObjects(5, 0).End(),
            new StreamBuilder().Begin(1).Object(1, []).Free(1, 0, 0).End(),
            new StreamBuilder().Begin(1).Object(ulong.MaxValue, []).End(),
        ];
        foreach (var stream in disordered)
            await Assert.ThrowsAsync<SendStreamException>(() => Edits.MergeAsync(stream.ToArray()));
    }

    [Fact]
    public async Task Blocks_that_were_split_stay_split_when_large_ones_follow()
    {
        // As zfs receive does with an incremental sent with -L on top of streams sent without (dmu_recv.c,
        // receive_handle_existing_object).
        var (small, large) = (128 << 10, 256 << 10);
        var older = new StreamBuilder()
            .Begin(1)
            .Object(1, [], change: fields => StreamBuilder.Put(fields, 16, (uint)small))
            .Free(1, ulong.MaxValue, (ulong)large * 2)
            .Write(1, 0, StreamBuilder.Noise(small, 1))
            .Write(1, (ulong)small, StreamBuilder.Noise(small, 2))
            .Write(1, (ulong)large, StreamBuilder.Noise(small, 3))
            .End();
        var newer = new StreamBuilder()
            .Begin(2, 1, features: StreamFeatures.LargeBlocks)
            .Object(1, [], change: fields => StreamBuilder.Put(fields, 16, (uint)large))
            .Free(1, ulong.MaxValue, (ulong)large * 2)
            .Write(1, 0, StreamBuilder.Noise(large, 4))
            .End();

        var merged = await Edits.MergeAsync(older.ToArray(), newer.ToArray());

        List<string> records = [];
        using var reader = new SendStreamReader(new MemoryStream(merged));
        while (reader.ReadRecord())
        {
            if (reader.Current.Type == RecordType.Object)
                records.Add($"object {reader.Current.AsObject().BlockSize}");
            if (reader.Current.Type == RecordType.Write)
                records.Add($"write {reader.Current.AsWrite().Offset} {reader.Current.AsWrite().LogicalSize}");
        }

        Assert.Equal([$"object {small}", $"write 0 {large}", $"write {large} {small}"], records);
    }

    private static StreamBuilder Plain(
        ulong guid,
        ulong from,
        StreamFeatures features = default,
        uint flags = 12,
        bool volume = false
    ) =>
        new StreamBuilder()
            .Begin(guid, from, features: features, flags: flags, change: fields => fields[24] = (byte)(volume ? 3 : 2))
            .End();

    private static StreamBuilder Raw(
        ulong guid,
        ulong baseGuid,
        ulong from,
        ulong to,
        ulong key = 1,
        ulong[]? objects = null,
        bool xdr = false
    )
    {
        var keys = new (string, object)[]
        {
            ("DSL_CRYPTO_GUID", key),
            ("to_ivset_guid", to),
            ("from_ivset_guid", from),
        };
        var stream = new StreamBuilder()
            .Begin(
                guid,
                baseGuid,
                features: StreamFeatures.Raw | StreamFeatures.Compressed,
                payload: xdr
                    ? Packing.Xdr(
                        (
                            "crypt_keydata",
                            ((string, object)[])[.. keys, ("DSL_CRYPTO_MASTER_KEY_1", new byte[] { 9, 8, 7 })]
                        )
                    )
                    : Packing.Native(("crypt_keydata", keys))
            )
            .ObjectRange(32);
        foreach (var number in objects ?? [33])
            _ = stream.Object(number, StreamBuilder.Noise(320, (int)guid), raw: true);
        return stream.End();
    }

    private static string Received(bool assumesOneSlot, params byte[][] streams)
    {
        var receiver = new ModelReceiver { AssumesOneSlot = assumesOneSlot };
        foreach (var stream in streams)
            receiver.Receive(stream);
        return receiver.ToString();
    }

    private static void AssertReceived(string expected, Draw draw, params byte[][] streams)
    {
        var found = Received(assumesOneSlot: false, streams);
        Assert.True(expected == found, $"{draw}: expected\n{expected}\n\nfound\n{found}");
    }
}
