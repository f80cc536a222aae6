using System.IO.Compression;
using System.Runtime.CompilerServices;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.UnitTests.Compression;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Transfer;

/// <summary>Stored objects of all kinds, valid and damaged, through <see cref="DecompressedStream"/>.</summary>
public sealed class DecompressedStreamTests
{
    private static readonly byte[] Bytes =
    [
        .. Blocks.Mixed(400_000, 21),
        .. StreamBuilder.Noise(100_000, 22),
        .. new byte[100_000],
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Engines => Blocks.Engines;

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Blocks_come_back_in_order(string engine)
    {
        foreach (var blockSize in (int[])[7001, 100_000, 1_000_000])
            Assert.Equal(
                Bytes,
                await DecompressAsync(Blocks.Compress(engine, Bytes, blockSize), Blocks.FormatOf(engine))
            );
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Blocks_far_larger_than_the_others_may_come_in_between(string engine)
    {
        byte[][] blocks =
        [
            Blocks.Mixed(1000, 1),
            Blocks.Mixed(9_000_000, 2),
            StreamBuilder.Noise(6_000_000, 3),
            Blocks.Mixed(1000, 4),
            new byte[20_000_000],
            Blocks.Mixed(1_000_000, 5),
        ];
        using var compressor = Blocks.Compressor(engine);
        byte[] stored = [.. blocks.SelectMany(compressor.Compress)];
        Assert.True(
            (await DecompressAsync(stored, Blocks.FormatOf(engine)))
                .AsSpan()
                .SequenceEqual(blocks.SelectMany(block => block).ToArray())
        );
    }

    [Fact]
    public async Task A_plain_object_is_its_own_bytes() =>
        Assert.Equal(Bytes, await DecompressAsync(Bytes, CompressionFormat.None));

    [Theory]
    [InlineData(CompressionFormat.None)]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Zstd)]
    public async Task An_empty_object_is_empty(CompressionFormat format) =>
        Assert.Empty(await DecompressAsync([], format));

    [Theory]
    [InlineData(1_000_000, CompressionLevel.SmallestSize)]
    [InlineData(1_000_000, CompressionLevel.NoCompression)]
    [InlineData(5000, CompressionLevel.Fastest)]
    [InlineData(100, CompressionLevel.Optimal)]
    public async Task The_output_of_gzip_is_decompressed(int memberSize, CompressionLevel level) =>
        Assert.Equal(
            Bytes,
            await DecompressAsync(
                [.. Bytes.Chunk(memberSize).SelectMany(chunk => Gzip(chunk, level))],
                CompressionFormat.Gzip
            )
        );

    [Fact]
    public async Task All_fields_of_a_gzip_header_are_skipped()
    {
        var member = Gzip(Bytes, CompressionLevel.Fastest);
        member[3] = 4 | 8 | 16;
        byte[] whole =
        [
            .. member[..10],
            7,
            0,
            (byte)'A',
            (byte)'B',
            3,
            0,
            1,
            2,
            3,
            .. "name\0"u8,
            .. "comment\0"u8,
            .. member[10..],
        ];
        byte[] twice = [.. Bytes, .. Bytes];
        byte[] flagged = [.. whole];
        flagged[3] |= 0x20;
        await AssertDamagedAsync(flagged, CompressionFormat.Gzip, Bytes);
        Assert.Equal(twice, await DecompressAsync([.. whole, .. whole], CompressionFormat.Gzip));
    }

    [Fact]
    public async Task The_checksum_of_a_gzip_header_is_verified()
    {
        var member = Gzip(Bytes, CompressionLevel.Fastest);
        member[3] = 2;
        var sum = (ushort)System.IO.Hashing.Crc32.HashToUInt32(member.AsSpan(0, 10));
        byte[] right = [.. member[..10], (byte)sum, (byte)(sum >> 8), .. member[10..]];
        Assert.Equal(Bytes, await DecompressAsync(right, CompressionFormat.Gzip));
        right[10] ^= 1;
        await AssertDamagedAsync(right, CompressionFormat.Gzip, Bytes);
    }

    /// <summary>The decompressor of gzip files on machines without ISA-L.</summary>
    [Fact]
    public async Task The_framework_s_gzip_is_equally_strict()
    {
        var bytes = Blocks.Mixed(30_000, 2);
        byte[] stored = [.. bytes.Chunk(10_000).SelectMany(chunk => Gzip(chunk, CompressionLevel.Fastest))];
        Assert.Equal(bytes, await DecompressAsync(stored));
        await Assert.ThrowsAsync<InvalidDataException>(() => DecompressAsync([.. stored, 0]));
        for (var size = stored.Length - 30; size < stored.Length; size++)
            await Assert.ThrowsAsync<InvalidDataException>(() => DecompressAsync(stored[..size]));
        foreach (var place in (Index[])[^1, ^6, ^100])
        {
            byte[] flipped = [.. stored];
            flipped[place] ^= 4;
            await Assert.ThrowsAsync<InvalidDataException>(() => DecompressAsync(flipped));
        }

        static async Task<byte[]> DecompressAsync(byte[] stored)
        {
            await using var reader = new StoredBytesReader(new Trickle(stored[100..]), digest: false);
            using var decoder = new FrameworkGzipDecoder(
                new PushbackStream(stored.AsMemory(0, 100), reader, isCutBlock: false)
            );
            var (unpacked, room) = (new MemoryStream(), new byte[1000]);
            for (int count; (count = await decoder.ReadAsync(room, Token)) > 0; )
                unpacked.Write(room, 0, count);
            return unpacked.ToArray();
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Blocks_and_other_compressed_data_may_follow_each_other(string engine)
    {
        var blocks = Blocks.Compress(engine, Bytes, 100_000);
        var foreign =
            engine == "zstd" ? blocks[16..BlockSize(engine, blocks)] : Gzip(Bytes[..100_000], CompressionLevel.Optimal);
        var format = Blocks.FormatOf(engine);
        byte[] between = [.. Bytes, .. Bytes[..100_000], .. Bytes];
        byte[] before = [.. Bytes[..100_000], .. Bytes];
        Assert.Equal(between, await DecompressAsync([.. blocks, .. foreign, .. blocks], format));
        Assert.Equal(before, await DecompressAsync([.. foreign, .. blocks], format));
    }

    [Fact]
    public async Task Zstd_frames_without_blocks_and_skippable_frames_are_decompressed()
    {
        var stored = Blocks.Compress("zstd", Bytes, 50_000);
        var frame = stored[16..BlockSize("zstd", stored)];
        byte[] skippable = [0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5];
        byte[] twice = [.. Bytes[..50_000], .. Bytes[..50_000]];
        Assert.Equal(
            twice,
            await DecompressAsync(
                [.. skippable, .. frame, .. skippable, .. skippable, .. frame, .. skippable],
                CompressionFormat.Zstd
            )
        );
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Bytes_after_the_end_are_damage(string engine)
    {
        var stored = Blocks.Compress(engine, Bytes[..10_000], 3000);
        foreach (
            var trailing in (byte[][])
                [
                    [0],
                    [0x1f],
                    [0x28],
                    [0x5a],
                    [0x1f, 0x8b],
                    new byte[512],
                    StreamBuilder.Noise(70_000, 2),
                ]
        )
            await AssertDamagedAsync([.. stored, .. trailing], Blocks.FormatOf(engine), Bytes[..10_000]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Every_truncation_is_damage_and_the_bytes_before_it_are_correct(string engine)
    {
        var bytes = Blocks.Mixed(3000, 3);
        var stored = Blocks.Compress(engine, bytes, 1000);
        var ends = Ends(engine, stored);
        for (var size = 1; size < stored.Length; size++)
        {
            // The compression cannot detect that a block is missing: the send stream must.
            if (ends.Contains(size))
                Assert.Equal(
                    bytes[..(1000 * (ends.IndexOf(size) + 1))],
                    await DecompressAsync(stored[..size], Blocks.FormatOf(engine))
                );
            else
                await AssertDamagedAsync(stored[..size], Blocks.FormatOf(engine), bytes);
        }
    }

    [Theory]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Zstd)]
    public async Task Every_truncation_of_other_compressed_data_is_damage(CompressionFormat format)
    {
        var bytes = Blocks.Mixed(3000, 4);
        var stored =
            format == CompressionFormat.Gzip
                ? Gzip(bytes, CompressionLevel.Optimal)
                : Blocks.Compress("zstd", bytes, 3000)[16..];
        for (var size = 1; size < stored.Length; size++)
            await AssertDamagedAsync(stored[..size], format, bytes);
    }

    /// <summary>A flipped bit is damage, or one of the few without meaning: then the bytes are correct.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public async Task No_flipped_bit_gives_wrong_bytes(string engine)
    {
        var bytes = Blocks.Mixed(900, 5);
        var stored = Blocks.Compress(engine, bytes, 300);
        var meaningless = 0;
        for (var bit = 0; bit < stored.Length * 8; bit++)
        {
            stored[bit / 8] ^= (byte)(1 << bit % 8);
            if (!await Decompressing.IsDamagedAsync(stored, Blocks.FormatOf(engine), bytes))
                meaningless++;
            stored[bit / 8] ^= (byte)(1 << bit % 8);
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{meaningless} of {stored.Length * 8} bits mean nothing");
        Assert.InRange(meaningless, 0, 150);
    }

    /// <summary>
    /// A skippable frame that reaches to the end would make an empty file of any other; zstd itself accepts it.
    /// </summary>
    [Fact]
    public async Task A_wrong_length_does_not_drop_blocks()
    {
        var stored = Blocks.Compress("zstd", new byte[5000], 1000);
        stored[4] = (byte)(stored.Length - 8);
        Assert.InRange(stored.Length, 16, 255);
        await AssertDamagedAsync(stored, CompressionFormat.Zstd, []);
    }

    /// <summary>
    /// As found by a random test: the length of the extra fields is damaged and the field's name as well, so that
    /// nothing tells that the member was a block.
    /// </summary>
    [Fact]
    public async Task A_wrong_length_of_extra_fields_with_another_name_does_not_drop_blocks()
    {
        var (one, all) = (Blocks.Compress("gzip", new byte[1000], 1000), Blocks.Compress("gzip", new byte[5000], 1000));
        all[one.Length + 10] = (byte)(one.Length + 12);
        all[one.Length + 12] ^= 0x41;
        await AssertDamagedAsync(all, CompressionFormat.Gzip, new byte[5000]);
    }

    /// <summary>
    /// Extra fields that seem to reach into the next block would drop a block; gzip itself accepts it.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)] // behind what is no block, nothing is looked for block by block
    public async Task A_wrong_length_of_extra_fields_does_not_drop_blocks(bool behindAnother)
    {
        var (one, all) = (Blocks.Compress("gzip", new byte[1000], 1000), Blocks.Compress("gzip", new byte[5000], 1000));
        Assert.Equal(5 * one.Length, all.Length);
        all[one.Length + 10] = (byte)(one.Length + 12);
        Assert.Equal(
            4000,
            new GZipStream(new MemoryStream(all), CompressionMode.Decompress).ReadAtLeast(
                new byte[5000],
                5000,
                throwOnEndOfStream: false
            )
        );
        byte[] stored = behindAnother ? [.. Gzip(new byte[10], CompressionLevel.Optimal), .. all] : all;
        await AssertDamagedAsync(stored, CompressionFormat.Gzip, new byte[behindAnother ? 5010 : 5000]);
    }

    [Theory]
    [InlineData("gzip", true)]
    [InlineData("gzip", false)]
    [InlineData("zstd", true)]
    [InlineData("zstd", false)]
    public async Task Random_damage_gives_no_wrong_bytes(string engine, bool blocks)
    {
        foreach (var draw in RandomTest.Draws(few: 200, many: 20_000))
        {
            var random = draw.Random;
            var bytes = Blocks.Mixed(random.Next(1, 60_000), draw.Seed);
            var stored =
                blocks ? Blocks.Compress(engine, bytes, random.Next(1, 30_000))
                : engine == "zstd" ? Blocks.Compress(engine, bytes, bytes.Length)[16..]
                : Gzip(bytes, CompressionLevel.Fastest);
            for (var damage = random.Next(1, 10); damage > 0; damage--)
                stored[random.Next(stored.Length)] = (byte)random.Next(256);
            try
            {
                await Decompressing.IsDamagedAsync(stored, Blocks.FormatOf(engine), bytes);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw new InvalidOperationException($"{draw}: {e.Message}", e);
            }
        }
    }

    [Fact]
    public async Task Damage_is_reported_after_the_bytes_before_it_and_nothing_comes_after_it()
    {
        var stored = Blocks.Compress("gzip", Bytes, 50_000);
        stored[stored.Length / 2] ^= 0x10;
        await using var reader = new StoredBytesReader(new MemoryStream(stored));
        await using var stream = new DecompressedStream(reader, CompressionFormat.Gzip);
        var first = await Assert.ThrowsAsync<OperationException>(() => stream.CopyToAsync(Stream.Null, Token));
        Assert.Contains("compressed data is damaged or cut off", first.Message, StringComparison.Ordinal);
        Assert.True(
            stream.BytesReturned is > 0 and < 600_000 && stream.BytesReturned % 50_000 == 0,
            $"{stream.BytesReturned} bytes"
        );
        Assert.Equal(
            first.Message,
            (await Assert.ThrowsAsync<OperationException>(async () => await stream.ReadSliceAsync(1, Token))).Message
        );
    }

    [Fact]
    public async Task A_failing_source_is_reported_in_its_own_words_after_the_bytes_before()
    {
        var stored = Blocks.Compress("gzip", Bytes, 50_000);
        await using var reader = new StoredBytesReader(
            new Repeated(stored, 3) { FailsWith = new IOException("the cable") }
        );
        await using var stream = new DecompressedStream(reader, CompressionFormat.Gzip);
        var fault = await Assert.ThrowsAsync<IOException>(() => stream.CopyToAsync(Stream.Null, Token));
        Assert.Equal("the cable", fault.Message);
    }

    [Fact]
    public async Task It_can_be_left_in_the_middle_and_be_cancelled()
    {
        var stored = Blocks.Compress("gzip", Bytes, 100_000);
        for (var taken = 0; taken < 4; taken++)
        {
            await using var reader = new StoredBytesReader(new Repeated(stored, 20));
            var stream = new DecompressedStream(reader, CompressionFormat.Gzip);
            for (var i = 0; i < taken; i++)
                Assert.False((await stream.ReadSliceAsync(1000, Token)).IsEmpty);
            await stream.DisposeAsync();
            await stream.DisposeAsync();
        }

        using var cancel = new CancellationTokenSource();
        await using var waiting = new StoredBytesReader(new Silent());
        await using var cancelled = new DecompressedStream(waiting, CompressionFormat.Zstd);
        var take = cancelled.ReadSliceAsync(1, cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => take);
    }

    private static byte[] Gzip(byte[] bytes, CompressionLevel level)
    {
        var stored = new MemoryStream();
        using (var gzip = new GZipStream(stored, level))
            gzip.Write(bytes);
        return stored.ToArray();
    }

    private static int BlockSize(string engine, byte[] stored) =>
        BlockCompression.TryReadHeader(Blocks.FormatOf(engine), stored, out var header)
            ? header.StoredSize
            : throw new InvalidOperationException();

    private static List<int> Ends(string engine, byte[] stored)
    {
        List<int> ends = [];
        for (var start = 0; start < stored.Length; start = ends[^1])
            ends.Add(start + BlockSize(engine, stored[start..]));
        return ends;
    }

    private static async Task<byte[]> DecompressAsync(byte[] stored, CompressionFormat format)
    {
        await using var reader = new StoredBytesReader(new Trickle(stored));
        await using var stream = new DecompressedStream(reader, format);
        var unpacked = new MemoryStream();
        await stream.CopyToAsync(unpacked, Token);
        Assert.True(reader.EndWasRead);
        Assert.Equal(stored.Length, reader.BytesRead);
        return unpacked.ToArray();
    }

    private static async Task AssertDamagedAsync(
        byte[] stored,
        CompressionFormat format,
        byte[] bytes,
        [CallerArgumentExpression(nameof(stored))] string what = ""
    ) =>
        Assert.True(
            await Decompressing.IsDamagedAsync(stored, format, bytes),
            $"{what}, {stored.Length} bytes, is taken"
        );

    /// <summary>Returns nothing and does not end.</summary>
    private sealed class Silent : ForwardOnlyStream
    {
        public override bool CanRead => true;

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer,
            CancellationToken cancellationToken = default
        )
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return 0;
        }
    }
}
