using System.Runtime.InteropServices;
using CsCheck;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// Every loop is called separately: those whose vectors this machine lacks are emulated, with the same result.
/// </summary>
public sealed class Fletcher4KernelsTests
{
    private delegate Fletcher4 Kernel(in Fletcher4 state, ReadOnlySpan<uint> words);

    private static readonly (string Name, Kernel Sum)[] Kernels =
    [
        ("128 bits", Fletcher4Kernels.By128Bits),
        ("256 bits", Fletcher4Kernels.By256Bits),
        ("512 bits", Fletcher4Kernels.By512Bits),
        ("the chosen one", Fletcher4Kernels.Append),
    ];

    private static readonly Gen<Fletcher4> State = Gen.Select(
        Gen.ULong,
        Gen.ULong,
        Gen.ULong,
        Gen.ULong,
        (a, b, c, d) => new Fletcher4(a, b, c, d)
    );

    [Fact]
    public void Every_length_has_the_sums_of_one_word_at_a_time()
    {
        var state = new Fletcher4(ulong.MaxValue, 0x0123456789abcdef, 3, 1UL << 63);
        for (var length = 0; length <= 4096; length += sizeof(uint))
            Compare(state, StreamBuilder.Noise(length, seed: length));
    }

    [Fact]
    public void Any_words_and_any_state_before_them_give_the_sums_of_one_word_at_a_time() =>
        Gen.Select(State, Gen.Int[0, 300_000], Gen.Int)
            .CheckDraws(
                (state, words, seed) => Compare(state, StreamBuilder.Noise(4 * words, seed)),
                few: 50,
                many: 5000
            );

    [Fact]
    public void The_largest_words_overflow_alike()
    {
        var bytes = new byte[16 << 20];
        bytes.AsSpan().Fill(0xff);
        Compare(new Fletcher4(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue), bytes);
    }

    [Fact]
    public void Each_word_counts_as_often_as_words_follow_it()
    {
        // A single 1 at each position of three vectors of the widest kind: a lane that is split or joined wrongly is
        // detected.
        for (var place = 0; place < 48; place++)
        {
            var words = new uint[48];
            words[place] = 1;
            var k = (ulong)(words.Length - place);
            var expected = new Fletcher4(1, k, k * (k + 1) / 2, k * (k + 1) * (k + 2) / 6);
            Assert.All(Kernels, kernel => Assert.Equal(expected, kernel.Sum(default, words)));
        }
    }

    private static void Compare(Fletcher4 state, byte[] bytes)
    {
        var words = MemoryMarshal.Cast<byte, uint>(bytes);
        var expected = Fletcher4Kernels.Scalar(state, words);
        foreach (var (name, sum) in Kernels)
            Assert.True(
                expected == sum(state, words),
                $"{words.Length} words by {name}: {sum(state, words)}, expected {expected}"
            );
    }
}
