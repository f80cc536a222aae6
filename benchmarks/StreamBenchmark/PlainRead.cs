using System.Numerics;
using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.StreamBenchmark;

/// <summary>
/// The yardstick: reads all of a memory with the widest vectors there are, and does next to nothing with it.
/// </summary>
internal static class PlainRead
{
    public static ulong Sum(ReadOnlySpan<uint> words)
    {
        Vector<ulong> a = default,
            b = default,
            c = default,
            d = default;
        var vectors = MemoryMarshal.Cast<uint, Vector<ulong>>(words);
        for (; vectors.Length >= 4; vectors = vectors[4..])
        {
            a += vectors[0];
            b += vectors[1];
            c += vectors[2];
            d += vectors[3];
        }

        foreach (var vector in vectors)
            a += vector;
        return Vector.Sum(a + b + c + d);
    }
}
