using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class AllocationTests
{
    [Fact]
    public void Verifying_allocates_nothing_for_a_record()
    {
        const int Many = 10_000;
        var (few, many) = (Stream(records: 10), Stream(Many));

        // An object for each record would be 24 bytes or more for each, in every attempt.
        Assert.InRange(LeastAllocated(many) - LeastAllocated(few), -Many, Many);
    }

    /// <summary>
    /// The runtime allocates on this thread too, when a method is used first or compiled again, at a time of its
    /// choice. The attempt with the fewest bytes has the least of it.
    /// </summary>
    private static long LeastAllocated(byte[] stream) => Enumerable.Range(0, 10).Min(_ => Allocated(stream));

    /// <summary>Records of every type that a plain stream may have many of.</summary>
    private static byte[] Stream(int records)
    {
        var stream = new StreamBuilder().Begin();
        for (var i = 1; i <= records; i++)
        {
            var number = (ulong)i;
            stream
                .Object(number, bonus: [1, 2, 3])
                .FreeObjects(number + 1, 1)
                .Spill(number, StreamBuilder.Noise(512, i))
                .Write(number, 0, StreamBuilder.Noise(512, i))
                .WriteEmbedded(number, 512, [1, 2])
                .Free(number, 512, 1024);
        }

        return stream.End().ToArray();
    }

    private static long Allocated(byte[] stream)
    {
        var verifier = new SendStreamVerifier();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var rest = stream.AsSpan(); !rest.IsEmpty; rest = rest[Math.Min(rest.Length, 4096)..])
            verifier.Append(rest[..Math.Min(rest.Length, 4096)]);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(verifier.IsComplete);
        return allocated;
    }
}
