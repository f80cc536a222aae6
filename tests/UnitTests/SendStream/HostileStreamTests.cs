using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class HostileStreamTests
{
    [Fact]
    public void Announced_lengths_allocate_nothing()
    {
        // 64 MiB is the most a BEGIN may announce; a WRITE of 16 MiB the most a data record may.
        byte[] begin = new StreamBuilder().Begin().ToArray();
        BitConverter.GetBytes(64 << 20).CopyTo(begin, 4);
        var write = new StreamBuilder()
            .Begin()
            .Write(1, 0, [], compression: 15, logicalSize: 16 << 20, change: fields =>
                StreamBuilder.Put(fields, 88, 16UL << 20)
            )
            .ToArray();
        foreach (var stream in (byte[][])[begin, write])
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var verifier = new SendStreamVerifier();
            verifier.Append(stream);
            verifier.Append(new byte[1000]);
            Assert.Throws<SendStreamException>(() => verifier.Complete());
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
        }
    }

    [Fact]
    public void More_than_the_maximum_is_refused_before_anything_is_read()
    {
        byte[] begin = new StreamBuilder().Begin().ToArray();
        BitConverter.GetBytes((64u << 20) + 4).CopyTo(begin, 4);
        Verifying.AssertRefused(SendStreamError.BadRecord, begin);
    }

    [Fact]
    public void A_long_payload_of_begin_takes_no_more_than_a_few_times_what_arrived()
    {
        byte[] begin = new StreamBuilder().Begin().ToArray();
        BitConverter.GetBytes(64 << 20).CopyTo(begin, 4);
        var verifier = new SendStreamVerifier();
        verifier.Append(begin);
        var (slice, arrived) = (new byte[10_000], 0L);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (; arrived < 5_000_000; arrived += slice.Length)
            verifier.Append(slice);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 6 * arrived);
    }

    [Fact]
    public void Random_bytes_after_a_valid_begin_throw_nothing_but_faults()
    {
        var begin = new StreamBuilder().Begin().ToArray();
        foreach (var draw in RandomTest.Draws(few: 1000, many: 100_000))
        {
            var noise = StreamBuilder.Noise(draw.Random.Next(2000), draw.Seed);
            Mutations.AssertOnlyFaults([.. begin, .. noise], draw.ToString());
        }
    }

    [Fact]
    public void Mutated_streams_throw_nothing_but_faults()
    {
        byte[][] streams =
        [
            StreamBuilder.Small().ToArray(),
            StreamBuilder.SmallPackage().ToArray(),
            StreamBuilder.SmallRaw().ToArray(),
        ];
        foreach (var draw in RandomTest.Draws(few: 1000, many: 100_000))
        {
            var stream = streams[draw.Random.Next(streams.Length)];
            Mutations.AssertOnlyFaults(Mutations.Mutate(stream, draw.Random), draw.ToString());
        }
    }

    [Fact]
    public void Mutated_streams_with_corrected_checksums_throw_nothing_but_faults()
    {
        // With correct checksums the mutations reach the rules behind them.
        foreach (var draw in RandomTest.Draws(few: 1000, many: 100_000))
        {
            var built = draw.Random.Next(2) == 0 ? StreamBuilder.SmallRaw() : StreamBuilder.Small();
            var mended = Mutations.Mended(built.Records.Select(record => Mutations.FlipField(record, draw.Random)));
            Mutations.AssertOnlyFaults(mended, draw.ToString());
        }
    }
}
