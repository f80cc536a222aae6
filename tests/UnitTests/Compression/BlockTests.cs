using System.IO.Compression;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Compression;

/// <summary>Blocks are compressed as documented and decompressed again.</summary>
public sealed class BlockTests
{
    private static readonly int[] Sizes = [1, 2, 13, 255, 4097, 65535, 65536, 131_071, 1024 * 1024, 1024 * 1024 + 1];

    public static TheoryData<string> Engines => Blocks.Engines;

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_block_comes_back_whatever_its_size_and_kind(string engine)
    {
        using var compressor = Blocks.Compressor(engine);
        using var decompressor = Blocks.Decompressor(engine);
        foreach (var size in Sizes)
        {
            foreach (var kind in (string[])["zeros", "noise", "mixed"])
            {
                var block = Blocks.Of(kind, size);
                Assert.True(
                    decompressor
                        .Decompress(Blocks.FormatOf(engine), compressor.Compress(block))
                        .AsSpan()
                        .SequenceEqual(block),
                    $"{size} bytes of {kind}"
                );
            }
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_large_block_comes_back_at_every_level(string engine)
    {
        var block = Blocks.Mixed(16 * 1024 * 1024, 3);
        using var decompressor = Blocks.Decompressor(engine);
        var levels = CompressionLevels.Of(Blocks.FormatOf(engine));
        var sizes = new List<int>();
        foreach (var level in (int[])[levels.Minimum, levels.Default, Math.Min(levels.Maximum, 5)])
        {
            using var compressor = Blocks.Compressor(engine, level);
            var stored = compressor.Compress(block);
            sizes.Add(stored.Length);
            Assert.True(
                decompressor.Decompress(Blocks.FormatOf(engine), stored).AsSpan().SequenceEqual(block),
                $"level {level}"
            );
        }

        Assert.True(sizes[0] >= sizes[^1], $"the smallest level makes {sizes[0]} bytes, the largest {sizes[^1]}");
    }

    [Theory]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Zstd)]
    public void Exactly_the_offered_levels_are_accepted(CompressionFormat format)
    {
        var levels = CompressionLevels.Of(format);
        for (var level = levels.Minimum; level <= levels.Maximum; level++)
        {
            using var compressor = BlockCompression.Create(format, level);
            using var decompressor = BlockCompression.CreateDecompressor(format);
            var block = Blocks.Mixed(50_000, level);
            Assert.Equal(block, decompressor.Decompress(format, compressor.Compress(block)));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => BlockCompression.Create(format, levels.Minimum - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => BlockCompression.Create(format, levels.Maximum + 1));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Noise_is_stored_uncompressed_and_grows_by_less_than_a_thousandth(string engine)
    {
        using var compressor = Blocks.Compressor(engine);
        var stored = compressor.Compress(StreamBuilder.Noise(1024 * 1024, 1));
        Assert.InRange(stored.Length, 1024 * 1024, 1024 * 1024 + 1024);
    }

    [Fact]
    public void No_block_is_larger_than_the_size_announced_for_it()
    {
        foreach (var engine in (string[])["gzip", Blocks.FrameworkGzip, "zstd"])
        {
            using var compressor = Blocks.Compressor(engine);
            for (var size = 1; size < 3000; size += 7)
                Assert.InRange(
                    compressor.Compress(StreamBuilder.Noise(size, size)).Length,
                    1,
                    compressor.MaxSize(size)
                );
            Assert.Throws<ArgumentOutOfRangeException>(() => compressor.Compress([], new byte[100]));
            Assert.Throws<ArgumentOutOfRangeException>(() =>
                compressor.Compress(new byte[100], new byte[compressor.MaxSize(100) - 1])
            );
        }
    }

    [Fact]
    public void Each_gzip_engine_reads_what_the_other_writes()
    {
        Requirement.Check(IsalLibrary.Current is not null, "libisal2 is not installed");
        foreach (
            var (writer, reader) in ((string, string)[])[("gzip", Blocks.FrameworkGzip), (Blocks.FrameworkGzip, "gzip")]
        )
        {
            using var compressor = Blocks.Compressor(writer);
            using var decompressor = Blocks.Decompressor(reader);
            foreach (var size in Sizes)
            {
                var block = Blocks.Mixed(size, size);
                Assert.True(
                    decompressor
                        .Decompress(CompressionFormat.Gzip, compressor.Compress(block))
                        .AsSpan()
                        .SequenceEqual(block),
                    $"{writer}, {size} bytes"
                );
            }
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData(Blocks.FrameworkGzip)]
    public void Gzip_blocks_one_after_another_are_a_gzip_file(string engine)
    {
        byte[] bytes = [.. Blocks.Mixed(700_000, 5), .. StreamBuilder.Noise(300_000, 6)];
        using var gzip = new GZipStream(
            new MemoryStream(Blocks.Compress(engine, bytes, 100_000)),
            CompressionMode.Decompress
        );
        var unpacked = new MemoryStream();
        gzip.CopyTo(unpacked);
        Assert.Equal(bytes, unpacked.ToArray());
    }

    [Fact]
    public void Plain_blocks_are_their_own_bytes()
    {
        using var compressor = BlockCompression.Create(CompressionFormat.None, null);
        var block = Blocks.Mixed(5000, 1);
        Assert.Equal(block, compressor.Compress(block));
        Assert.False(BlockCompression.TryReadHeader(CompressionFormat.None, block, out _));
    }

    /// <summary>The layout that docs/storage-format.md gives.</summary>
    [Fact]
    public void Blocks_look_as_they_are_documented()
    {
        using var gzip = BlockCompression.Create(CompressionFormat.Gzip, null);
        var member = gzip.Compress(new byte[1000]);
        Assert.Equal(
            [
                0x1f,
                0x8b,
                8,
                4,
                0,
                0,
                0,
                0,
                0,
                255,
                12,
                0,
                0x5a,
                0x53,
                8,
                0,
                .. BitConverter.GetBytes(member.Length),
                .. BitConverter.GetBytes(1000),
            ],
            member[..24]
        );
        Assert.Equal(BitConverter.GetBytes(1000), member[^4..]);
        using var zstd = BlockCompression.Create(CompressionFormat.Zstd, null);
        var frames = zstd.Compress(new byte[1000]);
        Assert.Equal(
            [
                0x5a,
                0x2a,
                0x4d,
                0x18,
                8,
                0,
                0,
                0,
                .. BitConverter.GetBytes(frames.Length - 16),
                .. BitConverter.GetBytes(1000),
            ],
            frames[..16]
        );
        Assert.Equal([0x28, 0xb5, 0x2f, 0xfd], frames[16..20]);
    }

    /// <summary>
    /// Except the few bits without meaning: deflate pads with up to 7, a stored block with 5; zstd has one that is
    /// ignored.
    /// </summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void A_block_with_a_flipped_bit_is_refused(string engine)
    {
        using var compressor = Blocks.Compressor(engine);
        using var decompressor = Blocks.Decompressor(engine);
        foreach (var block in (byte[][])[Blocks.Mixed(2000, 11), StreamBuilder.Noise(300, 1), new byte[300]])
        {
            var stored = compressor.Compress(block);
            var unpacked = new byte[block.Length];
            var meaningless = 0;
            for (var bit = 0; bit < stored.Length * 8; bit++)
            {
                stored[bit / 8] ^= (byte)(1 << bit % 8);
                var fault = Record.Exception(() => decompressor.Decompress(stored, unpacked));
                if (fault is not null)
                    Assert.Equal(ExitCode.Damaged, Assert.IsType<OperationException>(fault).ExitCode);
                else
                    Assert.Equal(block, unpacked);
                if (fault is null)
                    meaningless++;
                stored[bit / 8] ^= (byte)(1 << bit % 8);
            }

            Assert.InRange(meaningless, 0, 8);
            decompressor.Decompress(stored, unpacked); // and after all these it still works
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_block_that_is_cut_or_too_long_is_refused(string engine)
    {
        using var compressor = Blocks.Compressor(engine);
        using var decompressor = Blocks.Decompressor(engine);
        var stored = compressor.Compress(Blocks.Mixed(2000, 12));
        for (var size = 0; size < stored.Length; size++)
            AssertRefused(stored[..size], 2000);
        AssertRefused([.. stored, 0], 2000);
        AssertRefused(stored, 1999);
        AssertRefused(stored, 2001);

        // The same when the header agrees with the wrong size.
        var offset = engine == "zstd" ? 8 : 16;
        var headerSize = engine == "zstd" ? 16 : 0;
        foreach (var size in (int[])[stored.Length - 1, stored.Length + 1])
        {
            byte[] resized = [.. stored.Concat(new byte[1]).Take(size)];
            BitConverter.TryWriteBytes(resized.AsSpan(offset), size - headerSize);
            AssertRefused(resized, 2000);
        }

        foreach (var length in (int[])[1, 1999, 2001])
        {
            byte[] lying = [.. stored];
            BitConverter.TryWriteBytes(lying.AsSpan(offset + 4), length);
            AssertRefused(lying, length);
        }

        void AssertRefused(byte[] bytes, int length) =>
            Assert.Equal(
                ExitCode.Damaged,
                Assert.Throws<OperationException>(() => decompressor.Decompress(bytes, new byte[length])).ExitCode
            );
    }

    /// <summary>
    /// Bytes between the end of the deflate data and the trailer, where gunzip would not find the trailer.
    /// </summary>
    [Theory]
    [InlineData("gzip")]
    [InlineData(Blocks.FrameworkGzip)]
    public void Unused_bytes_inside_a_gzip_block_are_refused(string engine)
    {
        using var compressor = Blocks.Compressor(engine);
        using var decompressor = Blocks.Decompressor(engine);
        var stored = compressor.Compress(Blocks.Mixed(2000, 12));
        byte[] padded = [.. stored[..^8], 0, .. stored[^8..]];
        BitConverter.TryWriteBytes(padded.AsSpan(16), padded.Length);
        Assert.Equal(
            ExitCode.Damaged,
            Assert.Throws<OperationException>(() => decompressor.Decompress(padded, new byte[2000])).ExitCode
        );
    }

    [Theory]
    [InlineData(CompressionFormat.Gzip, 16)]
    [InlineData(CompressionFormat.Zstd, 8)]
    public void A_header_with_impossible_sizes_is_damage(CompressionFormat format, int offset)
    {
        using var compressor = BlockCompression.Create(format, null);
        var stored = compressor.Compress(new byte[5000]);
        (uint Size, uint Length)[] impossible =
        [
            (100, 0),
            (100, 128 * 1024 * 1024 + 1),
            (100, uint.MaxValue),
            (0, 100),
            (5, 100),
            (uint.MaxValue, uint.MaxValue),
            (1_000_000, 100),
            (int.MaxValue, 128 * 1024 * 1024),
            (100, 100 * 1024 * 1024),
        ];
        foreach (var (size, length) in impossible)
        {
            BitConverter.TryWriteBytes(stored.AsSpan(offset), size);
            BitConverter.TryWriteBytes(stored.AsSpan(offset + 4), length);
            Assert.Equal(
                ExitCode.Damaged,
                Assert.Throws<OperationException>(() => BlockCompression.TryReadHeader(format, stored, out _)).ExitCode
            );
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Random_damage_never_gives_wrong_bytes(string engine)
    {
        var format = Blocks.FormatOf(engine);
        using var compressor = Blocks.Compressor(engine);
        using var decompressor = Blocks.Decompressor(engine);
        foreach (var draw in RandomTest.Draws(few: 500, many: 50_000))
        {
            var random = draw.Random;
            var block = Blocks.Mixed(random.Next(1, 20_000), draw.Seed);
            var stored = compressor.Compress(block);
            var unpacked = new byte[block.Length];
            for (var damage = random.Next(1, 20); damage > 0; damage--)
                stored[random.Next(BlockCompression.HeaderSize(format), stored.Length)] = (byte)random.Next(256);
            try
            {
                decompressor.Decompress(stored, unpacked);
                Assert.True(block.AsSpan().SequenceEqual(unpacked), $"{draw}: wrong bytes");
            }
            catch (OperationException e) when (e.ExitCode == ExitCode.Damaged)
            {
                Assert.Contains("block is damaged", e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void The_engine_is_named()
    {
        Assert.StartsWith("gzip by ", CompressionEngine.Describe(CompressionFormat.Gzip), StringComparison.Ordinal);
        Assert.Matches(@"^zstd 1\.\d+\.\d+$", CompressionEngine.Describe(CompressionFormat.Zstd));
    }
}
