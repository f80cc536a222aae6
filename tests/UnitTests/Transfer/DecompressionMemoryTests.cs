using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.UnitTests.Compression;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Transfer;

/// <summary>What decompressing allocates, on all threads: these tests run alone.</summary>
[Collection("alone")]
public sealed class DecompressionMemoryTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Engines => Blocks.Engines;

    [Theory]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Zstd)]
    public async Task Any_bytes_neither_crash_nor_use_much_memory(CompressionFormat format)
    {
        byte[] start = format == CompressionFormat.Gzip ? [0x1f, 0x8b, 8] : [0x28, 0xb5, 0x2f, 0xfd];
        var block = Blocks.Compress(format.ApiName(), Blocks.Mixed(5000, 1), 5000);
        var before = GC.GetTotalAllocatedBytes();
        var count = 0;
        foreach (var draw in RandomTest.Draws(few: 200, many: 20_000))
        {
            var random = draw.Random;
            var noise = StreamBuilder.Noise(random.Next(1, 3000), draw.Seed);
            byte[] stored = random.Next(3) switch
            {
                0 => noise,
                1 => [.. start, .. noise],
                _ => [.. block[..random.Next(block.Length)], .. noise],
            };
            Assert.True(await Decompressing.IsDamagedAsync(stored, format, null), draw.ToString());
            count++;
        }

        Assert.InRange((GC.GetTotalAllocatedBytes() - before) / count, 0, 8 * 1024 * 1024);
    }

    /// <summary>
    /// A few bytes that claim to be a block of 128 MiB. Memory comes with the bytes, not with the claim.
    /// </summary>
    [Theory]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Zstd)]
    public async Task A_header_that_claims_a_large_block_allocates_little(CompressionFormat format)
    {
        var stored = Blocks.Compress(format.ApiName(), Blocks.Mixed(5000, 1), 5000);
        BitConverter.TryWriteBytes(stored.AsSpan(format == CompressionFormat.Gzip ? 16 : 8), 128 * 1024 * 1024);
        BitConverter.TryWriteBytes(stored.AsSpan(format == CompressionFormat.Gzip ? 20 : 12), 128 * 1024 * 1024);
        var before = GC.GetTotalAllocatedBytes();
        Assert.True(await Decompressing.IsDamagedAsync(stored, format, null));
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 16 * 1024 * 1024);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Memory_does_not_grow_with_the_stream(string engine)
    {
        var block = Blocks.Mixed(1024 * 1024, 9);
        using var compressor = Blocks.Compressor(engine);
        var stored = compressor.Compress(block);
        var before = GC.GetTotalAllocatedBytes();
        await using var reader = new StoredBytesReader(new Repeated(stored, 200), digest: false);
        await using var stream = new DecompressedStream(reader, Blocks.FormatOf(engine));
        var total = 0L;
        ReadOnlyMemory<byte> slice;
        while (!(slice = await stream.ReadSliceAsync(int.MaxValue, Token)).IsEmpty)
            total += slice.Length;
        Assert.Equal(200L * block.Length, total);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 60 * 1024 * 1024);
    }
}

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;
