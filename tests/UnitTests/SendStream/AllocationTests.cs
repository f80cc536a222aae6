using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class AllocationTests
{
    [Fact]
    public void Verifying_allocates_nothing_for_a_record()
    {
        const int Many = 10_000;
        var (few, many) = (Stream(records: 10), Stream(Many));
        Allocated(many); // allocated once, at the first use

        // The runtime's own allocations count here too; an object for each record would be 24 bytes for each.
        Assert.InRange(Allocated(many) - Allocated(few), -Many, Many);
    }

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
