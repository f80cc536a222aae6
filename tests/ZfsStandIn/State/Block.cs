using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.ZfsStandIn.State;

/// <summary>
/// Makes a block of a file out of a seed and its index, always the same. It begins with both, so that whoever receives
/// it can tell what it is made of, and check the rest.
/// </summary>
internal static class Block
{
    /// <summary>Bytes of the largest block.</summary>
    public const int Largest = 128 * 1024;

    /// <summary>Seeds with this bit make blocks of which a compressor leaves a quarter.</summary>
    private const ulong Compressible = 1UL << 63;

    private const int Header = 2 * sizeof(ulong);

    public static ulong NewSeed(bool compressible) =>
        (ulong)Random.Shared.NextInt64(1, long.MaxValue) | (compressible ? Compressible : 0);

    public static void Fill(Span<byte> block, ulong seed, long index)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(block, seed);
        BinaryPrimitives.WriteInt64LittleEndian(block[sizeof(ulong)..], index);
        var random = block[Header..];
        if ((seed & Compressible) != 0)
        {
            random = random[..Math.Min(random.Length, block.Length / 4)];
            block[(Header + random.Length)..].Fill((byte)index);
        }

        // splitmix64 (Steele, Lea, Flood 2014): a few instructions for 8 bytes, and nothing that compresses.
        var state = seed ^ ((ulong)index * 0xD1342543DE82EF95);
        foreach (ref var word in MemoryMarshal.Cast<byte, ulong>(random))
        {
            state += 0x9E3779B97F4A7C15;
            var mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            word = mixed ^ (mixed >> 31);
        }
    }

    /// <returns>The seed of a block with an index; null for one that was not made here.</returns>
    public static ulong? Recognize(ReadOnlySpan<byte> block, long index)
    {
        if (BinaryPrimitives.ReadInt64LittleEndian(block[sizeof(ulong)..]) != index)
            return null;
        var seed = BinaryPrimitives.ReadUInt64LittleEndian(block);
        var expected = new byte[block.Length];
        Fill(expected, seed, index);
        return block.SequenceEqual(expected) ? seed : null;
    }
}
