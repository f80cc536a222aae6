namespace ZfsSnapshotManager.Core.Compression.Blocks;

/// <summary>
/// Estimates cheaply whether compressing a block is worthwhile: encrypted and compressed data look like noise.
/// </summary>
internal static class EntropySample
{
    private const int Samples = 16;
    private const int SampleSize = 4096;

    /// <summary>Bits per byte. Text has 4 to 6, machine code 6 to 7; 64 KiB of noise measure 7.997.</summary>
    private const double Noise = 7.95;

    /// <summary>
    /// Measures 16 samples of 4 KiB, or all of a small block. Fewer than about 5,000 bytes never measure as noise.
    /// </summary>
    public static bool IsNoise(ReadOnlySpan<byte> block)
    {
        Span<int> counts = stackalloc int[256];
        counts.Clear();
        if (block.Length <= Samples * SampleSize)
            return Measure(block, counts) > Noise;
        var step = (block.Length - SampleSize) / (Samples - 1);
        for (var sample = 0; sample < Samples - 1; sample++)
            Count(block.Slice(sample * step, SampleSize), counts);
        return Measure(block[^SampleSize..], counts, Samples * SampleSize) > Noise;
    }

    private static double Measure(ReadOnlySpan<byte> last, Span<int> counts) => Measure(last, counts, last.Length);

    private static double Measure(ReadOnlySpan<byte> last, Span<int> counts, int total)
    {
        Count(last, counts);
        var sum = 0.0;
        foreach (var count in counts)
        {
            if (count > 0)
                sum += count * Math.Log2(count);
        }

        return Math.Log2(total) - sum / total;
    }

    private static void Count(ReadOnlySpan<byte> bytes, Span<int> counts)
    {
        foreach (var value in bytes)
            counts[value]++;
    }
}
