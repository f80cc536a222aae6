using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using ZfsSnapshotManager.SendStream.Resume.Deflate;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// <see cref="ResumeTokenTests"/> has data that real ZFS compressed; these are inputs that no token has.
/// </summary>
public sealed class ClassicDeflateTests
{
    // Recorded with zlib 1.2.13: python3 -c 'import zlib; print(zlib.compress(INPUT, 6).hex())'
    [Theory]
    [InlineData("", "789c030000000001")]
    [InlineData("a", "789c4b040000620062")]
    [InlineData("aaaaaaaaaa", "789c4b4c84010014e103cb")]
    [InlineData(
        "tank/plain@one, tank/plain@two, tank/plain@three",
        "789c2b49cccbd62fc849cccc73c8cf4bd5512841f04bcaf351f91945a9a900b3da11e0"
    )]
    public void Short_texts_give_the_bytes_of_zlib(string text, string expected) =>
        Assert.Equal(expected, Convert.ToHexStringLower(ClassicDeflate.Compress(Encoding.ASCII.GetBytes(text))));

    /// <summary>
    /// Contents, length and the first 8 bytes of the SHA-256 of what zlib 1.2.13 made of it at level 6.
    /// </summary>
    public static TheoryData<string, int, string> Recorded =>
        new()
        {
            { "zeros", 5, "8ca55c151eee2551" },
            { "zeros", 100, "5a1ddf1cdb753154" },
            { "zeros", 1000, "0e319d92dfe54e09" },
            { "zeros", 4500, "fc4b00736e67f4f2" },
            { "zeros", 8192, "d883af6ed1f247e3" },
            { "noise", 5, "8ef9d05b482e5b3f" },
            { "noise", 100, "cac97c4a709fb23a" },
            { "noise", 1000, "4fe74930474f1173" },
            { "noise", 4500, "caebf7d6fd70e32b" },
            { "noise", 8192, "7f3fd8949443be33" },
            { "skewed", 5, "1570628afb22daaa" },
            { "skewed", 100, "c5d49babcd61d5cd" },
            { "skewed", 1000, "6da2dd99ad63bb5f" },
            { "skewed", 4500, "83225832c6ee3ca2" },
            { "skewed", 8192, "586d6cf868e85906" },
            { "letters", 5, "6beb493a173c9ab9" },
            { "letters", 100, "f822f347a2eb8763" },
            { "letters", 1000, "37859dbae2c18360" },
            { "letters", 4500, "b998e7fa341cd370" },
            { "letters", 8192, "c30677de5d72e626" },
            { "copies", 5, "fbde489708266830" },
            { "copies", 100, "97ff69986ce1f4c0" },
            { "copies", 1000, "5f97fdbe080a4c5f" },
            { "copies", 4500, "45b77ce88fe81343" },
            { "copies", 8192, "fb265dff9b5779ed" },
            { "far", 5, "27c4b427a8f64da6" },
            { "far", 100, "c3eb71fbd963bf0d" },
            { "far", 1000, "499e974abd251b6a" },
            { "far", 4500, "3b0f3d8c25afbebb" },
            { "far", 8192, "e9f9b7dbaa63ae50" },
        };

    [Theory]
    [MemberData(nameof(Recorded))]
    public void Generated_contents_give_the_bytes_of_zlib(string contents, int length, string expected)
    {
        var compressed = ClassicDeflate.Compress(Made(contents, length));
        Assert.Equal(expected, Convert.ToHexStringLower(SHA256.HashData(compressed))[..16]);
    }

    [Fact]
    public void Compressed_data_can_be_decompressed()
    {
        // Few different bytes repeat by themselves; the pieces that occur again make long matches.
        var pieces = Gen.Byte[0, 255].Array[0, 300].Array[1, 8];
        Gen.Select(pieces, Gen.Int[0, 7].Array[0, 30], Gen.Int[1, 256])
            .CheckDraws(
                (parts, order, alphabet) =>
                {
                    byte[] input =
                    [
                        .. order
                            .SelectMany(index => parts[index % parts.Length])
                            .Select(value => (byte)(value % alphabet)),
                    ];
                    AssertRoundTrip(
                        input.Length > ClassicDeflate.LongestInput ? input[..ClassicDeflate.LongestInput] : input
                    );
                }
            );
    }

    [Fact]
    public void Every_length_of_repetition_and_every_distance_can_be_decompressed()
    {
        var noise = StreamBuilder.Noise(ClassicDeflate.LongestInput, 1);
        for (var length = 1; length < 600; length++)
            AssertRoundTrip([.. noise[..600], .. noise[..length], 1, 2, 3]);
        for (var distance = 1; distance < ClassicDeflate.LongestInput - 40; distance = (distance * 9 / 8) + 1)
            AssertRoundTrip([.. noise[..distance], .. noise.Take(distance).Take(40)]);
    }

    [Fact]
    public void More_than_the_maximum_is_refused()
    {
        AssertRoundTrip(new byte[ClassicDeflate.LongestInput]);
        Assert.Throws<ArgumentException>(() => ClassicDeflate.Compress(new byte[ClassicDeflate.LongestInput + 1]));
    }

    [Fact]
    public void Codes_that_would_be_too_long_are_shortened_and_still_complete()
    {
        // Frequencies that grow like Fibonacci's numbers make the longest codes there are.
        int[] frequencies = [1, 1, .. new int[20]];
        for (var i = 2; i < frequencies.Length; i++)
            frequencies[i] = frequencies[i - 1] + frequencies[i - 2];
        foreach (var longest in (int[])[15, 10, 7, 5])
        {
            var lengths = HuffmanCode.Shortest(frequencies, longest).Lengths.ToArray();
            Assert.Equal(longest, lengths.Max());
            Assert.Equal(1 << longest, lengths.Sum(length => 1 << (longest - length)));
            Assert.Equal(lengths.OrderDescending(), lengths);
        }
    }

    [Fact]
    public void The_shortest_code_is_as_short_as_can_be() =>
        Gen.Int[0, 50]
            .Array[3, 60]
            .CheckDraws(frequencies =>
            {
                var lengths = HuffmanCode.Shortest(frequencies, 15).Lengths.ToArray();
                Assert.Equal(1 << 15, lengths.Sum(length => length == 0 ? 0 : 1 << (15 - length)));
                if (frequencies.Count(frequency => frequency > 0) >= 2)
                    Assert.Equal(
                        BitsOfTheBestCode(frequencies),
                        lengths.Select((length, symbol) => length * frequencies[symbol]).Sum()
                    );
            });

    [Fact]
    public void The_checksum_is_that_of_the_standard() =>
        Assert.Equal(0x11e60398u, ClassicDeflate.Adler32("Wikipedia"u8));

    /// <summary>Huffman's algorithm: joining two nodes costs their weight once more.</summary>
    private static int BitsOfTheBestCode(int[] frequencies)
    {
        var queue = new PriorityQueue<int, int>(
            frequencies.Where(frequency => frequency > 0).Select(frequency => (frequency, frequency))
        );
        var bits = 0;
        while (queue.Count > 1)
        {
            var joined = queue.Dequeue() + queue.Dequeue();
            bits += joined;
            queue.Enqueue(joined, joined);
        }

        return bits;
    }

    private static void AssertRoundTrip(byte[] input)
    {
        var compressed = ClassicDeflate.Compress(input);
        using var source = new ZLibStream(new MemoryStream(compressed), CompressionMode.Decompress);
        using var output = new MemoryStream();
        source.CopyTo(output);
        Assert.Equal(input, output.ToArray());
        Assert.Equal(ClassicDeflate.Adler32(input), BinaryPrimitives.ReadUInt32BigEndian(compressed.AsSpan(^4..)));
    }

    private static byte[] Made(string contents, int length)
    {
        List<byte> made = [];
        var state = (uint)length;
        while (made.Count < length)
            Append();
        return [.. made.Take(length)];

        uint Next()
        {
            state = unchecked((state * 1664525) + 1013904223);
            return state >> 16;
        }

        void AppendNoise(uint count, uint mask)
        {
            for (; count > 0; count--)
                made.Add((byte)(Next() & mask));
        }

        void Append()
        {
            switch (contents)
            {
                case "zeros":
                    made.Add(0);
                    break;
                case "noise":
                    AppendNoise(1, 255);
                    break;
                case "skewed":
                    made.Add((byte)BitOperations.TrailingZeroCount(Next() | 0x8000));
                    break;
                case "letters":
                    made.Add((byte)('a' + (Next() % 5)));
                    break;
                case "copies" when made.Count < 4 || Next() % 2 == 0:
                    AppendNoise((Next() % 12) + 1, 255);
                    break;
                case "copies":
                    var at = (int)(Next() % (uint)made.Count);
                    made.AddRange(made.Skip(at).Take((int)(Next() % 300) + 3).ToArray());
                    break;
                default: // three bytes that come again about as far away as they may
                    made.AddRange("abc"u8);
                    AppendNoise(4090 + (Next() % 12), 31);
                    break;
            }
        }
    }
}
